/// The engine that keeps the upstream tables: PostgreSQL alone, TimescaleDB, or Citus with its workers.
public enum UpstreamEngines {
    /// Describes the engine, its policies and how tables are distributed. Changes nothing.
    public static func look(_ configuration: UpstreamConfiguration) async throws(UpstreamError) -> [EngineRemark] {
        try await connected(configuration) { connection, catalog throws(UpstreamError) in
            var remarks: [EngineRemark] = []
            if let facts = try TimescaleFacts(in: catalog, connection) { remarks += facts.remarks }
            if let facts = try CitusFacts(in: catalog, connection) { remarks += facts.remarks(in: catalog) }
            return remarks.isEmpty
                ? [.note("PostgreSQL \(connection.serverVersion / 10000) alone, without TimescaleDB or Citus")]
                : remarks
        }
    }

    /// The statements of a change, for a person to confirm. Changes nothing.
    ///
    /// - Throws: ``UpstreamError``; reason `schema` if the engine can't do it.
    public static func plan(
        _ change: EngineChange, _ configuration: UpstreamConfiguration
    ) async throws(UpstreamError) -> StatementPlan {
        try await connected(configuration) { connection, catalog throws(UpstreamError) in
            let ours = try Self.tablesMade(in: catalog, connection)
            switch change.limited(to: configuration) {
            case nil: return StatementPlan()
            case .policies(let wishes):
                return try PolicyPlanner(
                    catalog: catalog, facts: try TimescaleFacts(in: catalog, connection), ours: ours,
                    barTimestamp: configuration.barTimestamp
                ).plan(wishes)
            case .distribution(let tables):
                return try DistributionPlanner(
                    catalog: catalog, facts: try CitusFacts(in: catalog, connection), ours: ours
                ).plan(naming: tables)
            }
        }
    }

    /// The limit for a wait for the lock of a table.
    private static let longestWait: Duration = .seconds(30)

    /// Runs a plan's statements, in one transaction.
    ///
    /// - Throws: ``UpstreamError``; nothing is changed in that case.
    public static func run(_ plan: StatementPlan, _ configuration: UpstreamConfiguration) async throws(UpstreamError) {
        try await PostgresVisit().run(configuration) { connection throws(UpstreamError) in
            try connection.begin("", "begin")
            // Uploads and readers queue behind a lock request that waits, so the wait is limited, unlike the work.
            let patience = min(configuration.statementTimeout / 2, Self.longestWait).settingMilliseconds
            try connection.run("SET LOCAL lock_timeout = \(patience)", "begin")
            for step in plan.steps {
                for sql in step.sql { try connection.run(sql, step.title) }
            }
            try connection.run("COMMIT", "commit")
        }
    }

    /// Runs `body` over a new connection, with the catalog of the tables, and closes the connection afterwards.
    private static func connected<Value: Sendable>(
        _ configuration: UpstreamConfiguration,
        _ body: @Sendable (PostgresConnection, Catalog) throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        try await PostgresVisit().run(configuration) { connection throws(UpstreamError) in
            let names = TableShape.all(in: configuration).map(\.name)
            return try body(connection, try connection.readCatalog(of: names + [UpstreamSchema.versionsTable]))
        }
    }

    /// The tables that `migrate` created itself, not those that already existed.
    private static func tablesMade(
        in catalog: Catalog, _ connection: PostgresConnection
    ) throws(UpstreamError) -> Set<String> {
        let table = UpstreamSchema.versionsTable
        guard catalog.tables[table] != nil else { return [] }
        let made = try connection.ask("SELECT table_name FROM \(table) WHERE created", "read the schema's version")
        return Set(made.rows.compactMap { $0[0] })
    }
}
