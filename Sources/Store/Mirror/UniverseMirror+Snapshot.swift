import GRDB
import GRDBSQLite
public import MarketData

extension UniverseMirror {
    /// Runs `body` on one snapshot of the file: whatever it reads, it sees the mirror before a pull or after it, never
    /// a mix. Blocks on the disk; other readers of this object wait.
    public func withSnapshot<Result>(_ body: (Snapshot) throws -> Result) throws(StoreError) -> Result {
        try read("read") { database in
            try body(Snapshot(database: database, path: file.path))
        }
    }

    /// Everything in the file, in one snapshot. Some 10 ms for 30,000 memberships.
    public func contents() throws(StoreError) -> MirrorContents { try withSnapshot { try $0.contents() } }

    /// A consistent state of the mirror; valid only inside ``UniverseMirror/withSnapshot(_:)``.
    public struct Snapshot {
        private let database: Database
        private let path: String

        init(database: Database, path: String) {
            self.database = database
            self.path = path
        }

        /// All groups' names, in no order.
        public func headings() throws(StoreError) -> [GroupHeading] {
            try rows("SELECT id, name, type, environment FROM definition_groups") { row in
                GroupHeading(
                    id: row.integer(0) ?? 0, name: row.text(1), type: GroupType(rawValue: row.text(2)) ?? .custom,
                    environment: row.text(3))
            }
        }

        /// Returns a group's members as symbols, sorted, and those that can't be symbols of the feed, as written; none for
        /// a group that doesn't exist.
        public func symbols(of groupID: Int64) throws(StoreError) -> (symbols: [Symbol], refused: [String]) {
            var result: (symbols: [Symbol], refused: [String]) = ([], [])
            try rows("SELECT symbol FROM group_memberships WHERE group_id = ? ORDER BY symbol", [groupID]) { row in
                if let symbol = Symbol(utf8: row.bytes(0)) {
                    result.symbols.append(symbol)
                } else {
                    result.refused.append(row.text(0))
                }
            }
            return result
        }

        /// A group's members by symbol; none for a group that doesn't exist.
        public func members(of groupID: Int64) throws(StoreError) -> [GroupMember] {
            try rows("SELECT symbol, weight FROM group_memberships WHERE group_id = ? ORDER BY symbol", [groupID]) {
                GroupMember(symbol: $0.text(0), weight: $0.number(1))
            }
        }

        /// The groups of an environment, or all of them, by name, type and environment, each with its member count.
        public func groups(environment: String?) throws(StoreError) -> [UniverseGroup] {
            let sql = """
                SELECT id, name, type, description, environment, origin, updated_at,
                    (SELECT count(*) FROM group_memberships WHERE group_id = id) AS members
                FROM definition_groups
                WHERE ?1 IS NULL OR environment = ?1
                ORDER BY name, type, environment
                """
            return try rows(sql, [environment]) { row in
                UniverseGroup(
                    id: row.integer(0) ?? 0, name: row.text(1), type: GroupType(rawValue: row.text(2)) ?? .custom,
                    description: row.optionalText(3), environment: row.text(4), memberCount: Int(row.integer(7) ?? 0),
                    origin: GroupOrigin(rawValue: row.text(5)) ?? .local, updatedAt: row.integer(6) ?? 0)
            }
        }

        /// Returns the memberships in groups of a type and environment, of one symbol or of all, sorted by symbol and
        /// then by the groups' names.
        public func memberships(
            of symbol: String? = nil, in type: GroupType, environment: String
        ) throws(StoreError) -> [SymbolMembership] {
            let sql = """
                SELECT g.name, m.symbol, m.weight,
                    CASE WHEN json_valid(m.metadata) AND json_type(m.metadata) = 'object'
                    THEN json_extract(m.metadata, '$.industry') END
                FROM group_memberships m JOIN definition_groups g ON g.id = m.group_id
                WHERE g.type = ?1 AND g.environment = ?2 \(symbol == nil ? "" : "AND m.symbol = ?3")
                ORDER BY m.symbol, g.name
                """
            var arguments: [(any DatabaseValueConvertible)?] = [type.rawValue, environment]
            if let symbol { arguments.append(symbol) }
            return try rows(sql, arguments) { row in
                SymbolMembership(
                    group: row.text(0), symbol: row.text(1), weight: row.number(2), industry: row.optionalText(3))
            }
        }

        /// Returns what `body` makes of a statement's rows. Steps through them with SQLite's own functions, which takes
        /// a third of the time of decoding rows.
        @discardableResult
        private func rows<Value>(
            _ sql: String, _ arguments: [(any DatabaseValueConvertible)?] = [], _ body: (RowColumns) -> Value
        ) throws(StoreError) -> [Value] {
            try StoreError.translating("read", path: path) {
                let statement = try database.cachedStatement(sql: sql)
                try statement.setArguments(StatementArguments(arguments))
                let handle = statement.sqliteStatement
                defer { sqlite3_reset(handle) }
                var values: [Value] = []
                while true {
                    let code = sqlite3_step(handle)
                    if code == SQLITE_DONE { return values }
                    guard code == SQLITE_ROW else {
                        throw DatabaseError(resultCode: ResultCode(rawValue: code), message: database.lastErrorMessage)
                    }
                    values.append(body(RowColumns(handle: handle)))
                }
            }
        }
    }
}

// MARK: - Everything

extension UniverseMirror.Snapshot {
    /// Everything in the file.
    public func contents() throws(StoreError) -> MirrorContents {
        MirrorContents(groups: try groupsWithMembers(), entries: try entries(environment: nil), pull: try pullNote())
    }

    /// Returns the cache entries of one environment and type, or of all, sorted by environment, type, name and key.
    public func entries(environment: String?, type: String? = nil) throws(StoreError) -> [CacheEntryRecord] {
        let sql = """
            SELECT type, name, key, value, environment, updated_at FROM cache_entries
            WHERE (?1 IS NULL OR environment = ?1) AND (?2 IS NULL OR type = ?2)
            ORDER BY environment, type, name, key
            """
        return try rows(sql, [environment, type]) { row in
            CacheEntryRecord(
                type: row.text(0), name: row.text(1), key: row.text(2), value: row.optionalText(3),
                environment: row.text(4), updatedAt: row.integer(5))
        }
    }

    /// The last pull; `nil` when there was none.
    public func pullNote() throws(StoreError) -> PullNote? {
        let sql = "SELECT source, pulled_at, checksum, group_rows, membership_rows, entry_rows FROM mirror_info"
        var note = try rows(sql) { row -> PullNote in
            let pulledAt = UnixTime.bounded(row.integer(1) ?? 0)
            return PullNote(
                source: row.text(0), pulledAt: pulledAt, checkedAt: pulledAt, checksum: row.text(2),
                groups: Int(row.integer(3) ?? 0), memberships: Int(row.integer(4) ?? 0),
                entries: Int(row.integer(5) ?? 0))
        }.last
        if let pulledAt = note?.pulledAt, let checkedAt = PullMark.read(besides: path), checkedAt > pulledAt {
            note?.checkedAt = checkedAt
        }
        return note
    }

    /// Returns from which file, or legacy row, a group was last made.
    func importNote(of groupID: Int64) throws(StoreError) -> ImportNote? {
        try rows("SELECT source, format, checksum, imported_at FROM group_imports WHERE group_id = ?", [groupID]) {
            ImportNote(source: $0.text(0), format: $0.text(1), checksum: $0.text(2), importedAt: $0.integer(3) ?? 0)
        }.last
    }

    /// A group with everything that belongs to it; `nil` when there is none.
    public func group(_ identity: GroupRecord.Identity) throws(StoreError) -> MirrorContents.Group? {
        try groupsWithMembers(identity).first
    }

    /// One group or all, by environment, type and name.
    private func groupsWithMembers(
        _ identity: GroupRecord.Identity? = nil
    ) throws(StoreError) -> [MirrorContents.Group] {
        try groupsWithoutMembers(identity).map { found throws(StoreError) -> MirrorContents.Group in
            var group = found.group
            group.record.members = try memberRecords(of: found.id)
            group.imported = try importNote(of: found.id)
            return group
        }
    }

    /// Returns the number of members of each group that has any, by the groups' row numbers.
    func memberCounts() throws(StoreError) -> [Int64: Int] {
        let counts = try rows("SELECT group_id, count(*) FROM group_memberships GROUP BY group_id") { row in
            (row.integer(0) ?? 0, Int(row.integer(1) ?? 0))
        }
        return Dictionary(counts) { $1 }
    }

    /// Returns the number of a group's members.
    func memberCount(of groupID: Int64) throws(StoreError) -> Int {
        try rows("SELECT count(*) FROM group_memberships WHERE group_id = ?", [groupID]) { Int($0.integer(0) ?? 0) }
            .first ?? 0
    }

    /// Counts the rows of the last pull, and reads every page of their tables to notice damage; 0.1 s for a million.
    func pulledRows() throws(StoreError) -> (groups: Int, memberships: Int, entries: Int) {
        // The last column only serves to read the index.
        let sql = """
            SELECT count(*), sum((SELECT count(*) FROM group_memberships WHERE group_id = id)),
                (SELECT count(*) FROM cache_entries),
                (SELECT count(*) FROM group_memberships INDEXED BY group_memberships_symbol)
            FROM definition_groups WHERE origin = 'pulled'
            """
        let found = try rows(sql) { row in
            (Int(row.integer(0) ?? 0), Int(row.integer(1) ?? 0), Int(row.integer(2) ?? 0))
        }
        return found.first ?? (0, 0, 0)
    }

    /// One group or all, by environment, type and name, only with what their own rows hold.
    func groupsWithoutMembers(
        _ identity: GroupRecord.Identity? = nil
    ) throws(StoreError) -> [(id: Int64, group: MirrorContents.Group)] {
        let condition = identity == nil ? "" : "WHERE name = ? AND type = ? AND environment = ?"
        let sql = """
            SELECT id, name, type, environment, description, metadata, liquidity_filter, created_at, updated_at,
                last_update, origin
            FROM definition_groups \(condition) ORDER BY environment, type, name
            """
        var arguments: [(any DatabaseValueConvertible)?] = []
        if let identity { arguments = [identity.name, identity.type, identity.environment] }
        return try rows(sql, arguments) { row -> (id: Int64, group: MirrorContents.Group) in
            let record = GroupRecord(
                identity: .init(name: row.text(1), type: row.text(2), environment: row.text(3)),
                description: row.optionalText(4), metadata: row.optionalText(5), liquidityFilter: row.optionalText(6),
                createdAt: row.integer(7), updatedAt: row.integer(8), lastUpdate: row.integer(9)
            )
            let origin = GroupOrigin(rawValue: row.text(10)) ?? .local
            return (row.integer(0) ?? 0, MirrorContents.Group(record: record, origin: origin))
        }
    }

    /// Returns a group's members with everything stored about them, in the order of their symbols' bytes: those after
    /// `symbol`, at most `limit` if one is given.
    func memberRecords(
        of groupID: Int64, after symbol: String = "", limit: Int? = nil
    ) throws(StoreError) -> [MemberRecord] {
        let sql = """
            SELECT symbol, weight, metadata, created_at FROM group_memberships
            WHERE group_id = ?1 AND symbol > ?2 ORDER BY symbol LIMIT ?3
            """
        return try rows(sql, [groupID, symbol, limit ?? -1]) { row in
            MemberRecord(
                symbol: row.text(0), weight: row.number(1), metadata: row.optionalText(2), createdAt: row.integer(3))
        }
    }
}
