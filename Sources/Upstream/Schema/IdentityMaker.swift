public import MarketData

/// Whether a table of ticks can recognize events that it already holds.
public struct IdentityFinding: Sendable, Equatable {
    /// What was found.
    public enum State: Sendable, Equatable {
        /// A unique key distinguishes events.
        case present
        /// No unique key does.
        case missing
        /// The table can't have such a key, is missing, or can't be read; the text says why.
        case unusable(String)
    }

    /// An event that the table holds more than once.
    public struct Double: Sendable, Equatable {
        /// The columns that identify it, as the server writes them.
        public let identity: String
        /// The number of its rows.
        public let count: Int64
    }

    /// The table's name.
    public let table: String
    /// What was found.
    public internal(set) var state: State
    /// The number of rows that would be removed: of each event, all but the one received first.
    public internal(set) var doubledRows: Int64 = 0
    /// The first few events that the table holds more than once.
    public internal(set) var sample: [Double] = []
    /// How long the server took to look for them; creating the index takes about as long.
    public internal(set) var looked: Duration = .zero
    /// Whether the table accepts no rows while the index is created. True of a hypertable, of a partitioned or
    /// distributed table, if rows are removed, and behind a pooler.
    public internal(set) var locks = false
    /// The statement that makes the index.
    public internal(set) var sql = ""
}

/// Creates the unique indexes by which tables of ticks recognize events that they already hold.
public enum IdentityMaker {
    /// Checks the tables of these kinds of events for an identity and for duplicate events. Reads whole tables; changes
    /// nothing and blocks no writer.
    public static func look(
        _ configuration: UpstreamConfiguration, for kinds: Set<EventKind>
    ) async throws(UpstreamError) -> [IdentityFinding] {
        try await PostgresVisit().run(configuration.unhurried) { connection throws(UpstreamError) in
            let shapes = Self.shapes(kinds)
            let catalog = try connection.readCatalog(of: shapes.map(\.name))
            var findings: [IdentityFinding] = []
            for shape in shapes {
                do throws(UpstreamError) {
                    findings.append(try Self.look(shape, in: catalog, over: connection))
                } catch {
                    // What is wrong with one table says nothing about the others.
                    guard error.reason == .schema, connection.isUsable else { throw error }
                    try connection.run("ROLLBACK", "look for duplicate events")
                    findings.append(IdentityFinding(table: shape.name, state: .unusable(error.text)))
                }
            }
            return findings
        }
    }

    /// The tables of ticks of these kinds of events that have no identity, and those that are missing. For a start that
    /// waits for the result: connecting and the query may each take `limit`.
    public static func lacking(
        _ configuration: UpstreamConfiguration, for kinds: Set<EventKind>, within limit: Duration
    ) async throws(UpstreamError) -> (identity: [String], table: [String]) {
        try await PostgresVisit().run(configuration.hurried(limit)) { connection throws(UpstreamError) in
            let shapes = Self.shapes(kinds)
            let catalog = try connection.readCatalog(of: shapes.map(\.name))
            let unfit = shapes.filter { shape in
                catalog.tables[shape.name].map { shape.identity(in: $0)?.isWhole != true } ?? false
            }
            return (unfit.map(\.name), shapes.map(\.name).filter { catalog.tables[$0] == nil })
        }
    }

    /// Creates the index of one table. With `removingDoubles`, duplicate events are removed in the same transaction.
    ///
    /// - Returns: the number of rows removed.
    /// - Throws: ``UpstreamError``; nothing is changed in that case.
    public static func make(
        _ finding: IdentityFinding, _ configuration: UpstreamConfiguration, removingDoubles: Bool
    ) async throws(UpstreamError) -> Int64 {
        try await PostgresVisit().run(configuration.unhurried) { connection throws(UpstreamError) in
            let operation = "create the identity of \(finding.table)"
            guard let shape = TableShape.targets.first(where: { $0.name == finding.table }) else { return 0 }
            let catalog = try connection.readCatalog(of: [finding.table])
            let sql = try IdentitySQL(shape, in: catalog)
            guard finding.locks else {
                try Self.makeConcurrently(sql, over: connection, operation)
                return 0
            }
            try connection.begin("ISOLATION LEVEL READ COMMITTED", operation)
            // Uploads queue behind a lock request that waits, so the wait is limited.
            let patience = max(1, configuration.statementTimeout.settingMilliseconds / 2)
            // One statement per exchange, because Citus forwards the whole query string to its workers.
            try connection.run("SET LOCAL lock_timeout = \(patience)", operation)
            try connection.run("LOCK TABLE \(sql.table.sqlName) IN SHARE ROW EXCLUSIVE MODE", operation)
            // Nobody else makes an index while the lock is held.
            try Self.dropInvalid(sql, isOwn: true, over: connection, operation)
            var removed: Int64 = 0
            if removingDoubles {
                let found = try connection.run("\(sql.findSQL); \(IdentitySQL.countSQL(limit: 1))", operation)
                removed = found[1].value.flatMap { Int64($0) } ?? 0
                if removed > 0 {
                    let steps = try sql.removeSQL.map { statement throws(UpstreamError) in
                        try connection.run(statement, operation).last?.affected
                    }
                    guard steps.first == steps.last else {
                        throw UpstreamError(
                            .schema, operation,
                            "a rule or trigger on the table prevented deduplicated rows from being inserted again, so "
                                + "nothing was changed",
                            object: "table \(finding.table)")
                    }
                }
            }
            try connection.run(sql.indexSQL(), operation)
            try connection.run("COMMIT", operation)
            return removed
        }
    }

    /// Creates an index while the table accepts rows, which the server does only outside a transaction. So the limits
    /// that the role or the database may have are lifted for the session, in exchanges of their own.
    private static func makeConcurrently(
        _ sql: IdentitySQL, over connection: PostgresConnection, _ operation: String
    ) throws(UpstreamError) {
        // Uploads don't queue behind this wait for locks.
        try connection.run(sql.liftSQL(connection.configuration.statementTimeout.settingMilliseconds), operation)
        try dropInvalid(sql, isConcurrent: true, isOwn: false, over: connection, operation)
        do throws(UpstreamError) {
            try connection.run(sql.indexSQL(isConcurrent: true), operation)
        } catch {
            // An index that somebody else created meanwhile stays.
            let isOwn = error.sqlState != "42P07"
            if connection.isUsable {
                try? dropInvalid(sql, isConcurrent: true, isOwn: isOwn, over: connection, operation)
            }
            throw error
        }
    }

    /// Drops the invalid index that an interrupted attempt left: it would block the next one.
    ///
    /// - Parameter isOwn: Whether no other session can be making it.
    private static func dropInvalid(
        _ sql: IdentitySQL, isConcurrent: Bool = false, isOwn: Bool, over connection: PostgresConnection,
        _ operation: String
    ) throws(UpstreamError) {
        guard try connection.run(sql.invalidSQL(isOwn: isOwn), operation).value == "t" else { return }
        try connection.run(sql.dropSQL(isConcurrent: isConcurrent), operation)
    }
}

/// The statements that concern the identity of one table of ticks.
struct IdentitySQL {
    let table: TableDescription
    let columns: [String]

    private static let doubles = "pg_temp.edgetick_doubles"

    /// - Throws: reason `schema`; its text says what the table lacks.
    init(_ shape: TableShape, in catalog: Catalog) throws(UpstreamError) {
        func fault(_ text: String) -> UpstreamError {
            UpstreamError(.schema, "create the identity of \(shape.name)", text, object: "table \(shape.name)")
        }
        guard let table = catalog.tables[shape.name], table.isTable else {
            throw fault("the table is missing: run `edgetick migrate`")
        }
        let missing = shape.identity.compactMap { name -> String? in
            guard table.column(name) != nil else { return name }
            return shape.formSent(name, to: table) == nil ? "\(name) (whose values are not sent)" : nil
        }
        guard missing.isEmpty else {
            throw fault("without the columns \(missing.joined(separator: ", ")) events can't be told apart")
        }
        if let column = shape.identity.first(where: { table.column($0)?.isComparable == false }) {
            throw fault("the column \(column) has the type json, which can't be compared: use jsonb or text")
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

    /// Drops an index whose creation failed; it is unusable.
    func dropSQL(isConcurrent: Bool) -> String {
        "DROP INDEX \(isConcurrent ? "CONCURRENTLY " : "")IF EXISTS "
            + "\(SQLText.name(table.schema)).\(SQLText.name(indexName))"
    }

    /// Lifts the session's limits, except for a statement's, in milliseconds. The last one came with PostgreSQL 17.
    func liftSQL(_ statementTimeout: Int64) -> String {
        """
        SELECT set_config(name, CASE name WHEN 'statement_timeout' THEN '\(statementTimeout)' ELSE '0' END, false)
        FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout')
        """
    }

    /// Returns whether there is an invalid index that nobody is creating. On a partitioned table an index is invalid
    /// until all parts have one, so those never count; on any other table, unless `isOwn`, one that a session may be
    /// creating doesn't count. The server hides what other roles' sessions create, and shows an index only after a while.
    func invalidSQL(isOwn: Bool) -> String {
        """
        SELECT EXISTS (
            SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE i.indrelid = \(SQLText.literal(table.sqlName))::regclass AND NOT i.indisvalid
                AND c.relname = \(SQLText.literal(indexName)) AND c.relkind = 'i'
                AND (\(isOwn) OR NOT EXISTS (
                    SELECT FROM pg_stat_progress_create_index p
                    WHERE p.datname = current_database() AND coalesce(p.relid, i.indrelid) = i.indrelid
                        AND coalesce(nullif(p.index_relid, 0::oid), i.indexrelid) = i.indexrelid)))
        """
    }

    /// Returns what has the index's name and is in its way: `parts` for an index of a partitioned table that somebody makes
    /// part by part, or `other`; no row if there is nothing. An invalid index that an attempt left is no obstacle.
    var holderSQL: String {
        let isOfTable = "NOT i.indisvalid AND i.indrelid = \(SQLText.literal(table.sqlName))::regclass"
        return """
            SELECT CASE WHEN c.relkind = 'I' AND \(isOfTable) THEN 'parts' ELSE 'other' END
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid
            WHERE n.nspname = \(SQLText.literal(table.schema)) AND c.relname = \(SQLText.literal(indexName))
                AND NOT (c.relkind = 'i' AND \(isOfTable))
            """
    }

    /// Why the index can't be made, and what to do.
    func taken(by holder: String) -> String {
        let index = "\(SQLText.name(table.schema)).\(SQLText.name(indexName))"
        return holder == "parts"
            ? "the index \(index) is incomplete: it was made with ON ONLY, and not every partition has its part; attach the "
                + "missing parts (ALTER INDEX … ATTACH PARTITION), or drop it and run this again"
            : "\(index) exists and does not identify every event: drop or rename it, and run this again"
    }

    var findSQL: String {
        """
        CREATE TEMPORARY TABLE edgetick_doubles ON COMMIT DROP AS
        SELECT \(list), count(*) AS copies FROM \(table.sqlName) GROUP BY \(list) HAVING count(*) > 1
        """
    }

    /// Returns the number of surplus rows, and the first few events.
    static func countSQL(limit: Int) -> String {
        """
        SELECT coalesce(sum(copies - 1), 0)::bigint FROM \(doubles);
        SELECT copies, to_jsonb(d) - 'copies' FROM \(doubles) d ORDER BY time, symbol LIMIT \(limit)
        """
    }

    /// Deletes all rows of duplicate events and inserts each event once, as it was first received. Deleting only the
    /// surplus rows isn't possible: rows in compressed chunks have no ctid to distinguish two equal ones.
    var removeSQL: [String] {
        let isSameEvent = columns.map { name in
            let sign = ["symbol", "time"].contains(name) ? "=" : "IS NOT DISTINCT FROM"
            return "t.\(SQLText.name(name)) \(sign) d.\(SQLText.name(name))"
        }.joined(separator: " AND ")
        let first = table.column("received_at") == nil ? "" : ", t.received_at NULLS LAST"
        let own = columns.map { "t.\(SQLText.name($0))" }.joined(separator: ", ")
        let all = table.columns.filter { !$0.isGenerated }.map { SQLText.identifier($0.ownName) }
            .joined(separator: ", ")
        return [
            """
            CREATE TEMPORARY TABLE edgetick_kept ON COMMIT DROP AS SELECT DISTINCT ON (\(own)) t.*
            FROM \(table.sqlName) t JOIN \(Self.doubles) d ON \(isSameEvent) ORDER BY \(own)\(first)
            """,
            "DELETE FROM \(table.sqlName) t USING \(Self.doubles) d WHERE \(isSameEvent)",
            "INSERT INTO \(table.sqlName) (\(all)) SELECT \(all) FROM pg_temp.edgetick_kept",
        ]
    }

    var hypertableSQL: String {
        """
        SELECT EXISTS (SELECT FROM timescaledb_information.hypertables WHERE
        hypertable_schema = \(SQLText.literal(table.schema)) AND hypertable_name = \(SQLText.literal(table.name)))
        """
    }
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
        do throws(UpstreamError) {
            sql = try IdentitySQL(shape, in: catalog)
        } catch {
            return IdentityFinding(table: shape.name, state: .unusable(error.text))
        }
        // The index would be refused at the end of all the work.
        if let holder = try connection.run(sql.holderSQL, "look for the index of \(shape.name)").value {
            return IdentityFinding(table: shape.name, state: .unusable(sql.taken(by: holder)))
        }
        var finding = IdentityFinding(table: shape.name, state: .missing)
        let began = ContinuousClock.now
        try connection.begin("ISOLATION LEVEL READ COMMITTED", "look for duplicate events")
        let results = try connection.run(
            "\(sql.findSQL); \(IdentitySQL.countSQL(limit: sampled))", "look for duplicate events in \(shape.name)")
        finding.looked = .now - began
        finding.doubledRows = results[1].value.flatMap { Int64($0) } ?? 0
        finding.sample = results[2].rows.map { IdentityFinding.Double(identity: $0[1] ?? "", count: $0.number(0) ?? 0) }
        let isInParts = try isInParts(sql, catalog, connection)
        let isPooled = try isPooled(connection)
        try connection.run("ROLLBACK", "look for duplicate events")
        finding.locks = isInParts || isPooled || finding.doubledRows > 0
        finding.sql = sql.indexSQL(isConcurrent: !finding.locks)
        return finding
    }

    /// Whether the server's process isn't the one reported at login. Then a pooler may run each statement in another
    /// session, and no setting that lasts for longer than a transaction can be relied on.
    private static func isPooled(_ connection: PostgresConnection) throws(UpstreamError) -> Bool {
        try connection.run("SELECT pg_backend_pid()", "look for a pooler").first?.number != connection.backend
    }

    /// Whether the server can create indexes on the table only while writers are blocked.
    private static func isInParts(
        _ sql: IdentitySQL, _ catalog: Catalog, _ connection: PostgresConnection
    ) throws(UpstreamError) -> Bool {
        guard sql.table.kind == "r", !catalog.isDistributed else { return true }
        guard catalog.timescale != nil else { return false }
        return try connection.run(sql.hypertableSQL, "look for hypertables").value == "t"
    }
}
