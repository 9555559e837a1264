public import MarketData
public import Store

extension UniverseArchive {
    /// The files of a CSV backup. They belong together in one directory, and are named like the tables.
    public static let csvFiles = ["definition_groups.csv", "group_memberships.csv", "cache_entries.csv", "mirror.csv"]

    private static let groupColumns = [
        "environment", "type", "name", "description", "metadata", "liquidity_filter", "created_at", "updated_at",
        "last_update", "origin", "import_source", "import_format", "import_checksum", "imported_at",
    ]
    private static let memberColumns = ["environment", "type", "name", "symbol", "weight", "metadata", "created_at"]
    private static let entryColumns = ["environment", "type", "name", "key", "value", "updated_at"]
    private static let pullColumns = [
        "source", "pulled_at", "checked_at", "checksum", "groups", "memberships", "entries",
    ]

    /// Returns the mirror as CSV (RFC 4180), by file name. A field without quotes and content is NULL, and `""` is an
    /// empty text, as in PostgreSQL's COPY.
    public static func csv(_ contents: MirrorContents) -> [(name: String, bytes: [UInt8])] {
        var groups = CSVWriter(columns: groupColumns)
        var members = CSVWriter(columns: memberColumns)
        for group in contents.groups {
            let record = group.record
            let identity = [record.identity.environment, record.identity.type, record.identity.name]
            let own: [String?] = [
                record.description, record.metadata, record.liquidityFilter, record.createdAt.map(String.init),
                record.updatedAt.map(String.init), record.lastUpdate.map(String.init), group.origin.rawValue,
                group.imported?.source, group.imported?.format, group.imported?.checksum,
                group.imported.map { String($0.importedAt) },
            ]
            groups.add(identity + own)
            for member in record.members {
                let own: [String?] = [
                    member.symbol, member.weight.map { "\($0)" }, member.metadata, member.createdAt.map(String.init),
                ]
                members.add(identity + own)
            }
        }
        var entries = CSVWriter(columns: entryColumns)
        for entry in contents.entries {
            entries.add([
                entry.environment, entry.type, entry.name, entry.key, entry.value, entry.updatedAt.map(String.init),
            ])
        }
        var mirror = CSVWriter(columns: pullColumns)
        if let pull = contents.pull {
            mirror.add([
                pull.source, String(pull.pulledAt), String(pull.checkedAt), pull.checksum, String(pull.groups),
                String(pull.memberships), String(pull.entries),
            ])
        }
        return Array(zip(csvFiles, [groups.bytes, members.bytes, entries.bytes, mirror.bytes]))
    }

    /// One group's members as a list that an import reads: the symbols, with their weights where there are any.
    public static func list(of group: GroupRecord) -> [UInt8] {
        let hasWeights = group.members.contains { $0.weight != nil }
        var text = CSVWriter(columns: hasWeights ? ["symbol", "weight"] : ["symbol"])
        for member in group.members {
            text.add(hasWeights ? [member.symbol, member.weight.map { "\($0)" }] : [member.symbol])
        }
        return text.bytes
    }

    /// Reads a backup from its files.
    ///
    /// - Parameter file: returns the content of the named file; `nil` when it is missing.
    public static func contents(csv file: (String) throws -> [UInt8]?) throws -> MirrorContents {
        var contents = MirrorContents()
        var places: [GroupRecord.Identity: Int] = [:]
        for row in try rows(csvFiles[0], groupColumns, file) {
            let origin = GroupOrigin(rawValue: try row.text(9))
            guard let origin else { throw row.fault("origin is neither pulled nor local") }
            var imported: ImportNote?
            if row.fields[10] != nil {
                imported = ImportNote(
                    source: try row.text(10), format: try row.text(11), checksum: try row.text(12),
                    importedAt: try row.integer(13) ?? 0)
            }
            let identity = try row.identity()
            places[identity] = contents.groups.count
            contents.groups.append(
                .init(
                    record: GroupRecord(
                        identity: identity, description: row.fields[3], metadata: row.fields[4],
                        liquidityFilter: row.fields[5], createdAt: try row.integer(6), updatedAt: try row.integer(7),
                        lastUpdate: try row.integer(8)), origin: origin, imported: imported))
        }
        for row in try rows(csvFiles[1], memberColumns, file) {
            guard let place = places[try row.identity()] else {
                throw row.fault("the group is not in \(csvFiles[0])")
            }
            contents.groups[place].record.members.append(
                MemberRecord(
                    symbol: try row.text(3), weight: try row.number(4), metadata: row.fields[5],
                    createdAt: try row.integer(6)))
        }
        for row in try rows(csvFiles[2], entryColumns, file) {
            contents.entries.append(
                CacheEntryRecord(
                    type: try row.text(1), name: try row.text(2), key: try row.text(3), value: row.fields[4],
                    environment: try row.text(0), updatedAt: try row.integer(5)))
        }
        for row in try rows(csvFiles[3], pullColumns, file) {
            contents.pull = PullNote(
                source: try row.text(0), pulledAt: try row.integer(1) ?? 0, checkedAt: try row.integer(2) ?? 0,
                checksum: try row.text(3), groups: Int(try row.integer(4) ?? 0),
                memberships: Int(try row.integer(5) ?? 0), entries: Int(try row.integer(6) ?? 0))
        }
        return try checked(contents)
    }

    private static func rows(
        _ name: String, _ columns: [String], _ file: (String) throws -> [UInt8]?
    ) throws -> [ArchiveRow] {
        guard let bytes = try file(name) else {
            throw UniverseArchiveError(
                "\(name) is missing: a backup as CSV is a directory with \(csvFiles.joined(separator: ", "))")
        }
        var rows: [ArchiveRow] = []
        var reader = SeparatedRows(archive: bytes)
        while let (line, row) = reader.next() {
            switch row {
            case .malformed(let text): throw UniverseArchiveError("\(name): line \(line): \(text)")
            case .fields(let fields):
                let values = zip(fields, reader.areQuoted).map { field, isQuoted in
                    field.isEmpty && !isQuoted ? nil : String(decoding: field, as: UTF8.self)
                }
                rows.append(ArchiveRow(file: name, line: line, fields: values))
            }
        }
        guard !rows.isEmpty, rows.removeFirst().fields == columns.map(Optional.some) else {
            throw UniverseArchiveError("\(name): line 1 must be \(columns.joined(separator: ","))")
        }
        for row in rows where row.fields.count != columns.count {
            throw row.fault("\(row.fields.count.counted("column")) instead of \(columns.count)")
        }
        return rows
    }
}

/// A row of a backup; a field is `nil` for NULL.
private struct ArchiveRow {
    let file: String
    let line: Int
    var fields: [String?]

    func fault(_ text: String) -> UniverseArchiveError {
        UniverseArchiveError("\(file): line \(line): \(text)")
    }

    func text(_ column: Int) throws(UniverseArchiveError) -> String {
        guard let text = fields[column] else { throw fault("column \(column + 1) has no value") }
        return text
    }

    func integer(_ column: Int) throws(UniverseArchiveError) -> Int64? {
        guard let text = fields[column] else { return nil }
        guard let value = Int64(text) else { throw fault("column \(column + 1) is not a whole number") }
        return value
    }

    func number(_ column: Int) throws(UniverseArchiveError) -> Double? {
        guard let text = fields[column] else { return nil }
        guard let value = Double(text), value.isFinite else { throw fault("column \(column + 1) is not a number") }
        return value
    }

    func identity() throws(UniverseArchiveError) -> GroupRecord.Identity {
        GroupRecord.Identity(name: try text(2), type: try text(1), environment: try text(0))
    }
}
