import GRDB
import GRDBSQLite
import MarketData

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
            var headings: [GroupHeading] = []
            try rows("SELECT id, name, type, environment FROM definition_groups") { row in
                headings.append(
                    GroupHeading(
                        id: row.integer(0) ?? 0, name: row.text(1), type: GroupType(rawValue: row.text(2)) ?? .custom,
                        environment: row.text(3)))
            }
            return headings
        }

        /// A group's members as symbols; none for a group that doesn't exist.
        public func symbols(of groupID: Int64) throws(StoreError) -> GroupSymbols {
            var result = GroupSymbols(symbols: [], refused: [])
            try rows("SELECT symbol FROM group_memberships WHERE group_id = ? ORDER BY symbol", groupID) { row in
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
            var members: [GroupMember] = []
            try rows("SELECT symbol, weight FROM group_memberships WHERE group_id = ? ORDER BY symbol", groupID) {
                members.append(GroupMember(symbol: $0.text(0), weight: $0.number(1)))
            }
            return members
        }

        /// The groups of an environment, or all of them, by name, type and environment, each with its member count.
        public func groups(environment: String?) throws(StoreError) -> [UniverseGroup] {
            var groups: [UniverseGroup] = []
            let sql = """
                SELECT id, name, type, description, environment, origin, updated_at,
                    (SELECT count(*) FROM group_memberships WHERE group_id = id) AS members
                FROM definition_groups
                WHERE ?1 IS NULL OR environment = ?1
                ORDER BY name, type, environment
                """
            try rows(sql, environment) { row in
                groups.append(
                    UniverseGroup(
                        id: row.integer(0) ?? 0, name: row.text(1), type: GroupType(rawValue: row.text(2)) ?? .custom,
                        description: row.optionalText(3), environment: row.text(4),
                        memberCount: Int(row.integer(7) ?? 0),
                        origin: GroupOrigin(rawValue: row.text(5)) ?? .local, updatedAt: row.integer(6) ?? 0))
            }
            return groups
        }

        /// Returns the memberships of one symbol in groups of a type and environment, sorted by the groups' names.
        public func memberships(
            of symbol: String, in type: GroupType, environment: String
        ) throws(StoreError) -> [(group: String, membership: SymbolMembership)] {
            var found: [(String, SymbolMembership)] = []
            let sql = """
                SELECT g.name, m.symbol, m.group_id, m.weight, \(Self.industry)
                FROM group_memberships m JOIN definition_groups g ON g.id = m.group_id
                WHERE m.symbol = ?1 AND g.type = ?2 AND g.environment = ?3 ORDER BY g.name
                """
            try rows(sql, symbol, type.rawValue, environment) { row in
                found.append((row.text(0), row.membership(from: 1)))
            }
            return found
        }

        /// Returns all memberships in groups of a type and environment, sorted by symbol and then by the groups' names.
        public func memberships(
            in type: GroupType, environment: String
        ) throws(StoreError) -> [(group: String, membership: SymbolMembership)] {
            var found: [(String, SymbolMembership)] = []
            let sql = """
                SELECT g.name, m.symbol, m.group_id, m.weight, \(Self.industry)
                FROM definition_groups g JOIN group_memberships m ON m.group_id = g.id
                WHERE g.type = ?1 AND g.environment = ?2 ORDER BY m.symbol, g.name
                """
            try rows(sql, type.rawValue, environment) { row in
                found.append((row.text(0), row.membership(from: 1)))
            }
            return found
        }

        private static let industry =
            "CASE WHEN json_valid(m.metadata) AND json_type(m.metadata) = 'object' "
            + "THEN json_extract(m.metadata, '$.industry') END"

        /// Steps through a statement's rows with SQLite's own functions, which takes a third of the time of decoding
        /// rows.
        func rows(
            _ sql: String, _ arguments: (any DatabaseValueConvertible)?..., body: (RowColumns) -> Void
        ) throws(StoreError) {
            try StoreError.translating("read", path: path) {
                let statement = try database.cachedStatement(sql: sql)
                try statement.setArguments(StatementArguments(arguments))
                let handle = statement.sqliteStatement
                defer { sqlite3_reset(handle) }
                while true {
                    let code = sqlite3_step(handle)
                    if code == SQLITE_DONE { return }
                    guard code == SQLITE_ROW else {
                        throw DatabaseError(resultCode: ResultCode(rawValue: code), message: database.lastErrorMessage)
                    }
                    body(RowColumns(handle: handle))
                }
            }
        }
    }
}

extension RowColumns {
    func membership(from column: Int32) -> SymbolMembership {
        SymbolMembership(
            symbol: text(column), groupID: integer(column + 1) ?? 0, weight: number(column + 2),
            industry: optionalText(column + 3))
    }
}
