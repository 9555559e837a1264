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

    /// A consistent state of the mirror; valid only inside ``UniverseMirror/withSnapshot(_:)``.
    public struct Snapshot {
        let database: Database
        let path: String

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
        func rows<Value>(
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
