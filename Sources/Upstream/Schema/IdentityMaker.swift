public import MarketData

/// How a table of ticks knows events that are there already.
public struct IdentityFinding: Sendable, Equatable {
    /// What was found.
    public enum State: Sendable, Equatable {
        /// A unique key tells events apart.
        case present
        /// None does.
        case missing
        /// The table is missing or lacks columns; why, in words.
        case unusable(String)
    }

    /// An event that is there more than once.
    public struct Double: Sendable, Equatable {
        /// What tells it from others, as the server writes it.
        public let identity: String
        /// How often it is there.
        public let count: Int64
    }

    /// The table's name.
    public let table: String
    /// What was found.
    public internal(set) var state: State
    /// Rows that would be removed: of each event all but the first received.
    public internal(set) var doubledRows: Int64 = 0
    /// The first events that are there more than once.
    public internal(set) var sample: [Double] = []
    /// How long the server took to look for them; to make the index takes about as long.
    public internal(set) var looked: Duration = .zero
    /// Whether the table takes no rows while the index is made: a hypertable, a partitioned or distributed table, or one
    /// of which rows are removed.
    public internal(set) var locks = false
    /// The statement that makes the index.
    public internal(set) var sql = ""
}

/// Makes the unique indexes by which tables of ticks know events that are there already.
public enum IdentityMaker {
    /// Looks at the tables of these kinds of events, and for events that are there more than once. Reads the tables whole;
    /// changes nothing and locks nobody out.
    ///
    /// - Throws: ``UpstreamError`` when the database can't be asked.
    public static func look(
        _ configuration: UpstreamConfiguration, for kinds: Set<EventKind>
    ) async throws(UpstreamError) -> [IdentityFinding] {
        try await PostgresVisit.run(configuration.unhurried) { connection throws(UpstreamError) in
            let shapes = Self.shapes(kinds)
            let catalog = try connection.readCatalog(of: shapes.map(\.name))
            var findings: [IdentityFinding] = []
            for shape in shapes { findings.append(try Self.look(shape, in: catalog, over: connection)) }
            return findings
        }
    }

    /// Which tables of ticks of these kinds of events are there without an identity, and which are not there. For a start
    /// that waits for it: connecting and the answer may take `limit` each.
    ///
    /// - Throws: ``UpstreamError`` when the database can't be asked.
    public static func lacking(
        _ configuration: UpstreamConfiguration, for kinds: Set<EventKind>, within limit: Duration
    ) async throws(UpstreamError) -> (identity: [String], table: [String]) {
        try await PostgresVisit.run(configuration.hurried(limit)) { connection throws(UpstreamError) in
            let shapes = Self.shapes(kinds)
            let catalog = try connection.readCatalog(of: shapes.map(\.name))
            let unfit = shapes.filter { shape in
                catalog.tables[shape.name].map { shape.identity(in: $0)?.isWhole != true } ?? false
            }
            return (unfit.map(\.name), shapes.map(\.name).filter { catalog.tables[$0] == nil })
        }
    }

    /// Makes the index of one table; in the same transaction, rows of events that are there more than once are removed
    /// where that is wanted.
    ///
    /// - Returns: How many rows were removed.
    /// - Throws: ``UpstreamError``; nothing is changed then.
    public static func make(
        _ finding: IdentityFinding, _ configuration: UpstreamConfiguration, removingDoubles: Bool
    ) async throws(UpstreamError) -> Int64 {
        try await PostgresVisit.run(configuration.unhurried) { connection throws(UpstreamError) in
            let operation = "make the identity of \(finding.table)"
            guard let shape = TableShape.targets.first(where: { $0.name == finding.table }) else { return 0 }
            let catalog = try connection.readCatalog(of: [finding.table])
            let sql: IdentitySQL
            do throws(IdentityFault) {
                sql = try IdentitySQL(shape, in: catalog)
            } catch {
                throw UpstreamError(.schema, operation, error.text, object: "table \(finding.table)")
            }
            guard finding.locks else {
                do throws(UpstreamError) {
                    try connection.run(sql.indexSQL(isConcurrent: true), operation)
                } catch {
                    // What was made of it stands in the way of the next try; where the name was taken before, it is not ours.
                    if error.sqlState != "42P07", connection.isUsable {
                        _ = try? connection.run(sql.dropSQL, operation)
                    }
                    throw error
                }
                return 0
            }
            try connection.begin("ISOLATION LEVEL READ COMMITTED", operation)
            // Uploads queue behind a lock that is waited for.
            let patience = max(1, configuration.statementTimeout.settingMilliseconds / 2)
            // One statement at a time: Citus hands on to its workers what it was sent, all of it.
            try connection.run("SET LOCAL lock_timeout = \(patience)", operation)
            try connection.run(sql.lockSQL, operation)
            var removed: Int64 = 0
            if removingDoubles {
                let found = try connection.run("\(sql.findSQL); \(IdentitySQL.countSQL(limit: 1))", operation)
                removed = found[1].rows.first?.first.flatMap { $0 }.flatMap { Int64($0) } ?? 0
                if removed > 0 {
                    let steps = try sql.removeSQL.map { statement throws(UpstreamError) in
                        try connection.run(statement, operation).last?.affected
                    }
                    guard steps.first == steps.last else {
                        throw UpstreamError(
                            .schema, operation,
                            "a rule or trigger of the table keeps rows out that are to be put back once",
                            object: "table \(finding.table)")
                    }
                }
            }
            try connection.run(sql.indexSQL(), operation)
            try connection.run("COMMIT", operation)
            return removed
        }
    }
}

/// The statements about one table of ticks and its identity.
struct IdentitySQL {
    let table: TableDescription
    let columns: [String]

    private static let doubles = "pg_temp.edgetick_doubles"

    /// - Throws: What the table lacks, in words.
    init(_ shape: TableShape, in catalog: Catalog) throws(IdentityFault) {
        guard let table = catalog.tables[shape.name], table.kind == "r" || table.kind == "p" else {
            throw IdentityFault("the table is missing: run `edgetick migrate`")
        }
        let missing = shape.identity.filter { table.column($0) == nil }
        guard missing.isEmpty else {
            throw IdentityFault(
                "without the columns \(missing.joined(separator: ", ")) events can't be told apart")
        }
        self.table = table
        columns = shape.identity
    }

    private var list: String { columns.map(SQLText.name).joined(separator: ", ") }

    func indexSQL(isConcurrent: Bool = false) -> String {
        """
        CREATE UNIQUE INDEX \(isConcurrent ? "CONCURRENTLY " : "")\(SQLText.name(indexName)) ON \(table.namedBySQL) \
        (\(list)) NULLS NOT DISTINCT
        """
    }

    var indexName: String { "\(table.name)_identity" }

    /// An index that could not be finished is of no use.
    var dropSQL: String { "DROP INDEX IF EXISTS \(SQLText.name(table.schema)).\(SQLText.name(indexName))" }

    /// Keeps others from writing until the transaction's end.
    var lockSQL: String { "LOCK TABLE \(table.sqlName) IN SHARE ROW EXCLUSIVE MODE" }

    /// Finds the events that are there more than once.
    var findSQL: String {
        """
        CREATE TEMPORARY TABLE edgetick_doubles ON COMMIT DROP AS
        SELECT \(list), count(*) AS copies FROM \(table.sqlName) GROUP BY \(list) HAVING count(*) > 1
        """
    }

    /// Returns how many rows are too many, and the first of them.
    static func countSQL(limit: Int) -> String {
        """
        SELECT coalesce(sum(copies - 1), 0)::bigint FROM \(doubles);
        SELECT copies, to_jsonb(d) - 'copies' FROM \(doubles) d ORDER BY time, symbol LIMIT \(limit)
        """
    }

    /// Takes the doubled events out and puts each back once, as it was first received. Rows in compressed chunks have no
    /// place by which one of two that are alike could be named.
    var removeSQL: [String] {
        let told = columns.map { name in
            let sign = ["symbol", "time"].contains(name) ? "=" : "IS NOT DISTINCT FROM"
            return "t.\(SQLText.name(name)) \(sign) d.\(SQLText.name(name))"
        }.joined(separator: " AND ")
        let first = table.column("received_at") == nil ? "" : ", t.received_at NULLS LAST"
        let own = columns.map { "t.\(SQLText.name($0))" }.joined(separator: ", ")
        let all = table.columns.filter { !$0.isGenerated }.map { SQLText.identifier($0.ownName) }.joined(
            separator: ", ")
        return [
            """
            CREATE TEMPORARY TABLE edgetick_kept ON COMMIT DROP AS SELECT DISTINCT ON (\(own)) t.*
            FROM \(table.sqlName) t JOIN \(Self.doubles) d ON \(told) ORDER BY \(own)\(first)
            """,
            "DELETE FROM \(table.sqlName) t USING \(Self.doubles) d WHERE \(told)",
            "INSERT INTO \(table.sqlName) (\(all)) SELECT \(all) FROM pg_temp.edgetick_kept",
        ]
    }

    /// Returns whether the table is a hypertable.
    var hypertableSQL: String {
        """
        SELECT EXISTS (SELECT FROM timescaledb_information.hypertables WHERE
        hypertable_schema = \(SQLText.literal(table.schema)) AND hypertable_name = \(SQLText.literal(table.name)))
        """
    }
}

/// Why a table can't have an identity.
struct IdentityFault: Error {
    let text: String

    init(_ text: String) { self.text = text }
}

extension IdentityMaker {
    private static let sampled = 5

    private static func shapes(_ kinds: Set<EventKind>) -> [TableShape] {
        let names = Set(kinds.map { TableShape.table(of: $0).name })
        return TableShape.targets.filter { $0.holdsTicks && names.contains($0.name) }
    }

    private static func look(
        _ shape: TableShape, in catalog: Catalog, over connection: PostgresConnection
    ) throws(UpstreamError) -> IdentityFinding {
        if let table = catalog.tables[shape.name], shape.identity(in: table)?.isWhole == true {
            return IdentityFinding(table: shape.name, state: .present)
        }
        let sql: IdentitySQL
        do throws(IdentityFault) {
            sql = try IdentitySQL(shape, in: catalog)
        } catch {
            return IdentityFinding(table: shape.name, state: .unusable(error.text))
        }
        var finding = IdentityFinding(table: shape.name, state: .missing)
        let began = ContinuousClock.now
        try connection.begin("ISOLATION LEVEL READ COMMITTED", "look for doubled events")
        let results = try connection.run(
            "\(sql.findSQL); \(IdentitySQL.countSQL(limit: sampled))", "look for doubled events in \(shape.name)")
        finding.looked = .now - began
        finding.doubledRows = results[1].rows.first?.first.flatMap { $0 }.flatMap { Int64($0) } ?? 0
        finding.sample = results[2].rows.map { row in
            IdentityFinding.Double(identity: row[1] ?? "", count: row[0].flatMap { Int64($0) } ?? 0)
        }
        let isInParts = try isInParts(sql, catalog, connection)
        try connection.run("ROLLBACK", "look for doubled events")
        finding.locks = isInParts || finding.doubledRows > 0
        finding.sql = sql.indexSQL(isConcurrent: !finding.locks)
        return finding
    }

    /// Whether the server makes indexes of the table only while nobody writes.
    private static func isInParts(
        _ sql: IdentitySQL, _ catalog: Catalog, _ connection: PostgresConnection
    ) throws(UpstreamError) -> Bool {
        guard sql.table.kind == "r", !catalog.isDistributed else { return true }
        guard catalog.timescale != nil else { return false }
        return try connection.run(sql.hypertableSQL, "look for hypertables").first?.rows.first?.first == "t"
    }
}
