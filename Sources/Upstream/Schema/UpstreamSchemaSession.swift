import Migrations

/// A connection for the time of one look at the schema, on a thread of its own.
actor UpstreamSchemaSession {
    /// Which steps were done; `created` tells whether the step made its table or found one.
    static let versionsSQL = """
        create table edgetick_schema (
            version integer primary key,
            table_name text not null,
            created boolean not null,
            applied_at timestamptz not null default now()
        )
        """
    /// Keeps two migrations apart; the letters of `edgetick`.
    private static let lock: Int64 = 0x6564_6765_7469_636B

    private let executor = QueueExecutor(label: "edgetick.schema")
    private let interrupt = Wakeup()

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    func check(_ configuration: UpstreamConfiguration) async throws(UpstreamError) -> [SchemaChange] {
        try await interruptible(by: interrupt) { () throws(UpstreamError) in
            let connection = try PostgresConnection.connect(configuration, interrupt: interrupt)
            defer { connection.finish() }
            let catalog = try connection.readCatalog(of: TableShape.all.map(\.name))
            return TableShape.all.map { $0.change(in: catalog, isNew: false, configuration.barConflict) }
        }
    }

    func serverTime(_ configuration: UpstreamConfiguration) async throws(UpstreamError) -> Int64? {
        try await interruptible(by: interrupt) { () throws(UpstreamError) in
            let connection = try PostgresConnection.connect(configuration, interrupt: interrupt)
            defer { connection.finish() }
            let results = try connection.run(
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", "ask for the time")
            return results.last?.rows.first?.first.flatMap { $0 }.flatMap { Int64($0) }
        }
    }

    func migrate(_ configuration: UpstreamConfiguration) async throws(UpstreamError) -> [SchemaChange] {
        try await interruptible(by: interrupt) { () throws(UpstreamError) in
            let connection = try PostgresConnection.connect(configuration, interrupt: interrupt)
            // Whatever goes wrong: without a COMMIT the server keeps nothing.
            defer { connection.finish() }
            try connection.run("BEGIN; SELECT pg_advisory_xact_lock(\(Self.lock))", "lock the schema")
            let names = TableShape.all.map(\.name)
            let before = try connection.readCatalog(of: names + ["edgetick_schema"])
            let done = try Self.versionsDone(connection, before)
            var created: Set<String> = []
            for step in UpstreamMigrations.all {
                let table = before.tables[step.table]
                let isMissing = table == nil || step.columns.contains { table?.column($0) == nil }
                if isMissing {
                    try connection.run(step.migration.sql, "create the table \(step.table)")
                    if table == nil { created.insert(step.table) }
                }
                if !done.contains(step.migration.version) || isMissing {
                    try Self.record(step, created: isMissing, connection)
                }
            }
            let after = try connection.readCatalog(of: names)
            try connection.run("COMMIT", "commit the schema")
            return TableShape.all.map {
                $0.change(in: after, isNew: created.contains($0.name), configuration.barConflict)
            }
        }
    }

    private static func versionsDone(
        _ connection: PostgresConnection, _ catalog: Catalog
    ) throws(UpstreamError) -> Set<Int> {
        guard catalog.tables["edgetick_schema"] != nil else {
            try connection.run(versionsSQL, "create the table edgetick_schema")
            return []
        }
        let rows =
            try connection.run("SELECT version FROM edgetick_schema", "read the schema's version").last?.rows ?? []
        let done = Set(rows.compactMap { $0.first.flatMap { $0 }.flatMap { Int($0) } })
        let newest = UpstreamMigrations.all.map(\.migration.version).max() ?? 0
        if let newer = done.max(), newer > newest {
            throw UpstreamError(
                .schema, "read the schema's version",
                "the schema is at version \(newer), this program knows \(newest): use a newer edgetick",
                object: "table edgetick_schema")
        }
        return done
    }

    private static func record(
        _ step: UpstreamMigration, created: Bool, _ connection: PostgresConnection
    ) throws(UpstreamError) {
        try connection.run(
            """
            INSERT INTO edgetick_schema (version, table_name, created)
            VALUES (\(step.migration.version), \(SQLText.literal(step.table)), \(created))
            ON CONFLICT (version) DO UPDATE SET created = EXCLUDED.created, applied_at = now()
            """, "note the schema's version")
    }
}

extension TableShape {
    fileprivate func change(in catalog: Catalog, isNew: Bool, _ conflict: BarConflict?) -> SchemaChange {
        var change = state(in: catalog, isNew: isNew)
        guard name == TableShape.minuteBars.name || name == TableShape.secondBars.name,
            let target = try? UploadTarget<BarField>(self, in: catalog)
        else { return change }
        change.versions = target.versions(conflict).summary
        return change
    }

    private func state(in catalog: Catalog, isNew: Bool) -> SchemaChange {
        guard let table = catalog.tables[name] else { return SchemaChange(table: name, state: .missing) }
        let faults = faults(in: table, user: catalog.user)
        if !faults.isEmpty { return SchemaChange(table: name, state: .unusable(faults)) }
        if isNew { return SchemaChange(table: name, state: .created) }
        let differences = differences(in: table)
        return SchemaChange(table: name, state: differences.isEmpty ? .present : .differs(differences))
    }
}
