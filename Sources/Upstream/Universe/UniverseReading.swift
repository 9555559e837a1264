import MarketData

/// Reads the groups within one transaction.
final class UniverseReading {
    /// Few enough members to stay far below ``AnswerBounds``, even with documents of many kilobytes.
    private static let chunk = 2000
    /// As many groups or settings: their documents may take a megabyte.
    private static let documents = 100

    private let connection: PostgresConnection
    private let tables: UniverseTables
    private var remarks: [String] = []
    /// The approximate memory of all that was read for the mirror.
    private var bytes = 0

    init(_ connection: PostgresConnection) throws(UpstreamError) {
        self.connection = connection
        tables = try UniverseTables(connection)
    }

    func read(withLegacy: Bool, progress: (Int, Int) -> Void) throws(UpstreamError) -> UniverseSnapshot {
        var (groups, places) = try readGroups()
        try readMembers(into: &groups, places, progress: progress)
        let entries = try readEntries(withLegacy: withLegacy)
        let legacy = entries.filter { CacheEntryRecord.legacyTypes.contains($0.type) }
        let others = entries.filter { !CacheEntryRecord.legacyTypes.contains($0.type) }
        return UniverseSnapshot(
            records: UniverseRecords(groups: groups, entries: others), legacy: legacy,
            legacyCount: withLegacy ? legacy.count : try countLegacy(), remarks: remarks, source: "")
    }

    /// Reads the rows of a query part by part, so that no answer grows with the table.
    ///
    /// - Parameters:
    ///   - most: the maximum number of rows in a part.
    ///   - advice: what to do if all that was read takes too much memory.
    ///   - each: receives a row, and returns the memory that it takes.
    ///   - progress: receives the number of rows read.
    private func fetch(
        _ query: String, of table: TableDescription, most: Int, _ operation: String, advice: String,
        each: ([String?]) -> Int, progress: (Int) -> Void = { _ in }
    ) throws(UpstreamError) {
        try connection.run("DECLARE edgetick_rows NO SCROLL CURSOR FOR \(query)", operation)
        var done = 0
        while true {
            let rows = try connection.run("FETCH \(most) FROM edgetick_rows", operation).rows
            guard !rows.isEmpty else { break }
            for row in rows { bytes += each(row) }
            done += rows.count
            guard bytes <= UniverseSource.maximumBytes else {
                throw UpstreamError(
                    .data, operation,
                    "including its rows, groups, members and settings together take more than the "
                        + "\(UniverseSource.maximumBytes >> 20) MiB of memory that a mirror may take; \(advice)",
                    object: "table \(table.displayName)")
            }
            progress(done)
        }
        try connection.run("CLOSE edgetick_rows", operation)
    }

    /// The groups without their members, and each id's index among them.
    private func readGroups() throws(UpstreamError) -> (groups: [GroupRecord], places: [String: Int]) {
        let table = tables.groups
        let columns =
            ["id", "name", "type"].map { UniverseTables.text($0, of: table, "g") }
            + [UniverseTables.environment(of: table, "g")]
            + ["description", "metadata", "liquidity_filter"].map { UniverseTables.text($0, of: table, "g") }
            + ["created_at", "updated_at", "last_update"].map { UniverseTables.milliseconds($0, of: table, "g") }
        var groups: [GroupRecord] = []
        var places: [String: Int] = [:]
        var known: [GroupRecord.Identity: Int] = [:]
        try fetch(
            "SELECT \(columns.joined(separator: ", ")) FROM \(table.sqlName) g ORDER BY g.id", of: table,
            most: Self.documents, "read definition_groups",
            advice: "shorten the documents in metadata and liquidity_filter"
        ) { row in
            guard let id = row[0], let name = row[1], !name.isEmpty, let type = row[2], let environment = row[3] else {
                remarks.append("definition_groups: row \(row[0] ?? "?") has no name or type and is left out")
                return 0
            }
            let metadata = row[5]
            let identity = GroupRecord.Identity(
                name: name, type: TypeMark.type(in: metadata) ?? type, environment: environment)
            if let place = known[identity] {
                remarks.append(
                    "definition_groups: \(identity.type) \(name) (\(environment)) appears again as row \(id); "
                        + "the members of both are merged")
                places[id] = place
                return 0
            }
            known[identity] = groups.count
            places[id] = groups.count
            groups.append(
                GroupRecord(
                    identity: identity, description: row[4], metadata: metadata.flatMap(TypeMark.stripped),
                    liquidityFilter: row[6], createdAt: row.number(7), updatedAt: row.number(8),
                    lastUpdate: row.number(9)))
            return Self.memory(of: row, in: GroupRecord.self)
        }
        return (groups, places)
    }

    private func readMembers(
        into groups: inout [GroupRecord], _ places: [String: Int], progress: (Int, Int) -> Void
    ) throws(UpstreamError) {
        let operation = "read group_memberships"
        let table = tables.memberships
        let weights = try WeightColumn(of: table, connection)
        let count = try makeRoom(in: &groups, places, operation)
        let columns =
            ["group_id", "symbol", "weight", "metadata"].map { UniverseTables.text($0, of: table, "m") }
            + [UniverseTables.milliseconds("created_at", of: table, "m")]
        var strays = 0
        var symbols = 0
        try fetch(
            "SELECT \(columns.joined(separator: ", ")) FROM \(table.sqlName) m", of: table, most: Self.chunk, operation,
            advice: "shorten the documents in metadata, or remove members"
        ) { row in
            guard let id = row[0], let place = places[id] else {
                strays += 1
                return 0
            }
            guard let symbol = row[1], !symbol.isEmpty else {
                symbols += 1
                return 0
            }
            let weight = row[2].flatMap { weights?.percent($0) }
            groups[place].members.append(
                MemberRecord(symbol: symbol, weight: weight, metadata: row[3], createdAt: row.number(4)))
            return Self.memory(of: [symbol, row[3]], in: MemberRecord.self)
        } progress: { done in
            progress(done, count)
        }
        if strays > 0 {
            remarks.append("group_memberships: \(strays.counted("row belongs", "rows belong")) to no group: left out")
        }
        if symbols > 0 {
            remarks.append("group_memberships: \(symbols.counted("row has", "rows have")) no symbol: left out")
        }
        unite(&groups)
    }

    /// Counts the rows and reserves space for each group's members, so that no array is copied as it grows.
    private func makeRoom(
        in groups: inout [GroupRecord], _ places: [String: Int], _ operation: String
    ) throws(UpstreamError) -> Int {
        let table = tables.memberships
        let group = UniverseTables.text("group_id", of: table, "m")
        let sql = "SELECT \(group), count(*) FROM \(table.sqlName) m GROUP BY 1"
        var count = 0
        var room: [Int: Int] = [:]
        for row in try connection.run(sql, operation).rows {
            let members: Int = row.number(1) ?? 0
            count += members
            if let place = row[0].flatMap({ places[$0] }) { room[place, default: 0] += members }
        }
        guard count <= UniverseSource.maximumMemberships else {
            throw UpstreamError(
                .data, operation,
                "it has \(count) rows, more than the \(UniverseSource.maximumMemberships) that a mirror can hold",
                object: "table \(table.displayName)")
        }
        for (place, members) in room { groups[place].members.reserveCapacity(members) }
        return count
    }

    private func unite(_ groups: inout [GroupRecord]) {
        for index in groups.indices {
            let repeated = groups[index].members.sortAndUnite()
            guard repeated > 0 else { continue }
            let identity = groups[index].identity
            remarks.append(
                "group_memberships: \(identity.type) \(identity.name) (\(identity.environment)) names "
                    + "\(repeated.counted("symbol")) twice; each counts once")
        }
    }

    /// The approximate memory of a record with these texts, in bytes.
    private static func memory<Record>(of texts: [String?], in _: Record.Type) -> Int {
        // A text of up to 15 bytes is stored in the record itself.
        let lengths = texts.compactMap { $0?.utf8.count }.filter { $0 > 15 }
        return MemoryLayout<Record>.stride + lengths.reduce(0) { $0 + $1 + 32 }
    }

    /// An expression for whether a row of `cache_entries` is a legacy list.
    private static func isLegacy(_ table: TableDescription) -> String {
        "\(UniverseTables.text("type", of: table, "c")) IN (\(SQLText.list(CacheEntryRecord.legacyTypes)))"
    }

    private func countLegacy() throws(UpstreamError) -> Int {
        guard let table = tables.entries else { return 0 }
        let sql = "SELECT count(*) FROM \(table.sqlName) c WHERE \(Self.isLegacy(table))"
        return try connection.run(sql, "read cache_entries").last?.number ?? 0
    }

    private func readEntries(withLegacy: Bool) throws(UpstreamError) -> [CacheEntryRecord] {
        guard let table = tables.entries else {
            remarks.append("cache_entries: there is no such table, so there are no settings")
            return []
        }
        let columns =
            ["type", "name", "key", "value"].map { UniverseTables.text($0, of: table, "c") }
            + [UniverseTables.environment(of: table, "c"), UniverseTables.milliseconds("updated_at", of: table, "c")]
        var entries: [CacheEntryRecord] = []
        try fetch(
            "SELECT \(columns.joined(separator: ", ")) FROM \(table.sqlName) c "
                + (withLegacy ? "" : "WHERE NOT \(Self.isLegacy(table)) ") + "ORDER BY 1, 2, 3, 5, 6 NULLS FIRST",
            of: table, most: Self.documents, "read cache_entries",
            advice: "shorten the values, or delete those that nobody reads"
        ) { row in
            guard let type = row[0], !type.isEmpty else { return 0 }
            let entry = CacheEntryRecord(
                type: type, name: row[1] ?? "", key: row[2] ?? "", value: row[3], environment: row[4] ?? "DEFAULT",
                updatedAt: row.number(5))
            // Of rows with the same key the newest counts; it comes last.
            if let last = entries.last, last.type == entry.type, last.name == entry.name, last.key == entry.key,
                last.environment == entry.environment
            {
                entries.removeLast()
            }
            entries.append(entry)
            return Self.memory(of: row, in: CacheEntryRecord.self)
        }
        return entries
    }
}

extension [MemberRecord] {
    /// Sorts the members by symbol and removes duplicates, in place, since there may be a million.
    ///
    /// - Returns: the number of duplicates removed.
    fileprivate mutating func sortAndUnite() -> Int {
        sort { $0.symbol < $1.symbol }
        var kept = 0
        for place in indices where kept == 0 || self[kept - 1].symbol != self[place].symbol {
            if kept != place { swapAt(kept, place) }
            kept += 1
        }
        let repeated = count - kept
        removeLast(repeated)
        return repeated
    }
}
