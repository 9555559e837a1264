import MarketData
import Migrations

/// The state of the tables, and the record of migration steps.
extension UpstreamSchema {
    /// The table with the record of migration steps.
    static let versionsTable = "edgetick_schema"
    /// Creates it. `created` is false if the step found all that it would create.
    static let versionsSQL = """
        create table \(versionsTable) (
            version integer primary key,
            table_name text not null,
            created boolean not null,
            applied_at timestamptz not null default now()
        )
        """
    /// The advisory lock that keeps two migrations apart: the letters of `edgetick`.
    private static let lock: Int64 = 0x6564_6765_7469_636B
    static let lockSQL = "SELECT pg_advisory_xact_lock(\(lock))"

    /// The state of each table, for a collector of these kinds of events.
    static func changes(
        in catalog: Catalog, _ created: Set<String>, _ kinds: Set<EventKind>, _ configuration: UpstreamConfiguration,
        _ connection: PostgresConnection
    ) throws(UpstreamError) -> [SchemaChange] {
        var needed = Set(kinds.map { TableShape.table(of: $0).name } + [TableShape.ledger.name])
        if catalog.needsIdentity { needed.insert(TableShape.stretches.name) }
        var changes = TableShape.all(in: configuration).map { shape in
            var change = shape.change(in: catalog, isNew: created.contains(shape.name), configuration.barConflict)
            change.isNeeded = needed.contains(shape.name)
            return change
        }
        if needed.contains(TableShape.minuteBars.name),
            let place = changes.firstIndex(where: { $0.table == TableShape.minuteBars.name }),
            let warning = try connection.barTimestampWarning(in: catalog, configuration.barTimestamp)
        {
            changes[place].warnings.append(warning)
        }
        return changes
    }

    static func versionsDone(_ connection: PostgresConnection, _ catalog: Catalog) throws(UpstreamError) -> Set<Int> {
        guard catalog.tables[versionsTable] != nil else {
            try connection.run(versionsSQL, "create the table \(versionsTable)")
            return []
        }
        let rows = try connection.run("SELECT version FROM \(versionsTable)", "read the schema's version").rows
        let done: Set<Int> = Set(rows.compactMap { $0.number(0) })
        let newest = UpstreamMigrations.all.map(\.migration.version).max() ?? 0
        if let newer = done.max(), newer > newest {
            throw UpstreamError(
                .schema, "read the schema's version",
                "the schema is at version \(newer), and this program knows versions up to \(newest): use a newer edgetick",
                object: "table \(versionsTable)")
        }
        return done
    }

    static func record(
        _ step: UpstreamMigration, created: Bool, _ connection: PostgresConnection
    ) throws(UpstreamError) {
        try connection.run(
            """
            INSERT INTO \(versionsTable) (version, table_name, created)
            VALUES (\(step.migration.version), \(SQLText.literal(step.table)), \(created))
            ON CONFLICT (version) DO UPDATE SET created = EXCLUDED.created, applied_at = now()
            """, "note the schema's version")
    }
}

extension TableShape {
    fileprivate func change(in catalog: Catalog, isNew: Bool, _ conflict: BarConflict?) -> SchemaChange {
        var change = state(in: catalog, isNew: isNew)
        change.remedies = remedies(in: catalog)
        if catalog.needsIdentity, holdsTicks { change.maker += " --tick-identity" }
        if let table = catalog.tables[name] {
            change.warnings = warnings(in: catalog)
            if holdsTicks {
                let isWhole = identity(in: table)?.isWhole == true
                change.rule = isWhole ? "each event once" : "an event that arrives twice is stored twice"
            }
        }
        if isNew, let others = catalog.elsewhere[name] {
            let places = others.map { "\($0.schema).\(name)" }.joined(separator: ", ")
            change.warnings.append("other tables of this name are not used: \(places)")
        }
        if holdsBars, let target = try? UploadTarget<BarField>(self, in: catalog) {
            change.rule = target.versions(conflict).summary
        }
        return change
    }

    private func state(in catalog: Catalog, isNew: Bool) -> SchemaChange {
        guard catalog.tables[name] != nil else {
            guard catalog.place(of: name) == nil else {
                return SchemaChange(table: name, state: .unusable(faults(in: catalog)))
            }
            guard !catalog.allowsCreating else { return SchemaChange(table: name, state: .missing) }
            let text =
                "the table is missing, and the user \(catalog.user) may not create it: run `edgetick migrate --print` as "
            return SchemaChange(table: name, state: .unusable([text + "somebody who may, or grant the right"]))
        }
        let faults = faults(in: catalog) + furtherFaults(in: catalog)
        if !faults.isEmpty { return SchemaChange(table: name, state: .unusable(faults)) }
        if isNew { return SchemaChange(table: name, state: .created) }
        let differences = differences(in: catalog)
        return SchemaChange(table: name, state: differences.isEmpty ? .present : .differs(differences))
    }
}
