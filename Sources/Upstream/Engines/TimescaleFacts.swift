/// What TimescaleDB does with the tables.
struct TimescaleFacts: Sendable, Equatable {
    struct Hypertable: Sendable, Equatable {
        var isColumnstore = false
        /// The ages at which chunks go into the columnstore and at which they are deleted, in the server's format.
        var columnstoreAfter: String?
        var retention: String?
    }

    struct Aggregate: Sendable, Equatable {
        var isRealTime = true
        var isRefreshed = false
        /// How far back it is refreshed; `nil` means to the beginning.
        var refreshedFrom: String?
    }

    var version: String
    var schema = "public"
    /// Whether the edition under Timescale's own licence is installed, which all of these features need.
    var isLicensed = true
    /// Whether this version uses the name columnstore; older ones say compression.
    var saysColumnstore = true
    var hypertables: [String: Hypertable] = [:]
    /// The statements that make hypertables of plain tables of events, by name: tables that are older than the extension.
    var conversions: [String: String] = [:]
    /// The continuous aggregates over the minute bars, by name.
    var aggregates: [String: Aggregate] = [:]
    /// Jobs of these tables whose last run failed.
    var failingJobs: [String] = []
    /// The message of the first one's latest failure; `nil` if the server doesn't provide it.
    var jobError: String?
}

extension TimescaleFacts {
    /// Reads the facts; `nil` if the extension isn't installed in the database.
    init?(in catalog: Catalog, _ connection: PostgresConnection) throws(UpstreamError) {
        guard let version = catalog.timescale else { return nil }
        self.init(version: version)
        let results = try connection.ask(
            """
            SELECT n.nspname, coalesce(current_setting('timescaledb.license', true), '') = 'timescale',
                   EXISTS (SELECT 1 FROM pg_proc p WHERE p.proname = 'add_columnstore_policy' AND p.pronamespace = n.oid)
            FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb';
            SELECT hypertable_schema, hypertable_name, compression_enabled FROM timescaledb_information.hypertables;
            SELECT view_schema, view_name, hypertable_schema, hypertable_name, materialized_only
            FROM timescaledb_information.continuous_aggregates;
            SELECT j.hypertable_schema, j.hypertable_name, j.proc_name, j.config->>'compress_after',
                   j.config->>'drop_after', j.config->>'start_offset', s.last_run_status, j.job_id
            FROM timescaledb_information.jobs j LEFT JOIN timescaledb_information.job_stats s USING (job_id)
            WHERE j.proc_name IN ('policy_compression', 'policy_retention', 'policy_refresh_continuous_aggregate')
            """, "ask TimescaleDB for its policies")
        guard results.count == 4, let facts = results[0].rows.first else { return nil }
        schema = facts[0] ?? "public"
        isLicensed = facts[1] == "t"
        saysColumnstore = facts[2] == "t"
        var names: [[String?]: String] = [:]
        for (name, table) in catalog.tables { names[[table.schema, table.name]] = name }
        for row in results[1].rows {
            guard let name = names[Array(row[0...1])] else { continue }
            hypertables[name] = Hypertable(isColumnstore: row[2] == "t")
        }
        for name in TableShape.events.map(\.name) where hypertables[name] == nil {
            guard let table = catalog.tables[name], table.kind == "r" else { continue }
            conversions[name] = conversion(of: table, name)
        }
        let bars = catalog.tables[TableShape.minuteBars.name]
        for row in results[2].rows where row[2] == bars?.schema && row[3] == bars?.name {
            guard row[0] == bars?.schema, let name = row[1] else { continue }
            aggregates[name] = Aggregate(isRealTime: row[4] == "f")
        }
        var failing: Int?
        for row in results[3].rows {
            let table = names[Array(row[0...1])]
            let view = row[0] == bars?.schema ? row[1].flatMap { aggregates[$0] == nil ? nil : $0 } : nil
            guard let subject = table ?? view else { continue }
            switch row[2] {
            case "policy_compression": hypertables[subject]?.columnstoreAfter = row[3]
            case "policy_retention": hypertables[subject]?.retention = row[4]
            default:
                aggregates[subject]?.isRefreshed = true
                aggregates[subject]?.refreshedFrom = row[5]
            }
            guard row[6] == "Failed" else { continue }
            failingJobs.append("job \(row[7] ?? "") of \(subject)")
            failing = failing ?? row.number(7)
        }
        if let failing {
            let sql = """
                SELECT err_message FROM timescaledb_information.job_errors WHERE job_id = \(failing)
                ORDER BY finish_time DESC LIMIT 1
                """
            jobError = (try? connection.ask(sql, "ask TimescaleDB for its jobs' errors"))?.value
        }
    }

    /// The qualified name of one of the extension's functions, for SQL.
    func function(_ name: String) -> String { "\(SQLText.name(schema)).\(name)" }

    /// The statement that makes a hypertable as `migrate` does, with the rows that are there. Nobody can use the table
    /// meanwhile.
    private func conversion(of table: TableDescription, _ name: String) -> String {
        let isBars = TableShape.holdsBars(name)
        let time = table.column(isBars ? "timestamp" : "time")?.ownName ?? "time"
        let chunk = [TableShape.minuteBars.name, TableShape.imbalances.name].contains(name) ? "7 days" : "1 day"
        let others = isBars ? "" : "create_default_indexes => false, "
        return
            "SELECT \(function("create_hypertable"))(\(SQLText.literal(table.namedBySQL)), \(SQLText.literal(time)), "
            + "chunk_time_interval => INTERVAL '\(chunk)', \(others)migrate_data => true)"
    }

    /// The remarks that `doctor` prints.
    var remarks: [EngineRemark] {
        guard isLicensed else {
            let lacking = "columnstore, retention policies and continuous aggregates are not available"
            return [.note("TimescaleDB \(version), Apache edition: \(lacking)")]
        }
        var lines = [EngineRemark.note("TimescaleDB \(version)")]
        for (name, table) in hypertables.sorted(by: { $0.key < $1.key }) {
            let columnstore = table.columnstoreAfter.map { "columnstore after \($0)" } ?? "no columnstore"
            let retention = table.retention.map { "deleted after \($0)" } ?? "kept forever"
            lines.append(.note("\(name): hypertable, \(columnstore), \(retention)"))
        }
        for (name, sql) in conversions.sorted(by: { $0.key < $1.key }) {
            let plain = "\(name): a plain table, without chunks, columnstore and retention"
            lines.append(.note("\(plain); to make a hypertable of it: \(sql)"))
        }
        for (name, aggregate) in aggregates.sorted(by: { $0.key < $1.key }) {
            let refresh =
                aggregate.isRefreshed
                ? "refreshed \(aggregate.refreshedFrom.map { "over the last \($0)" } ?? "from the beginning")"
                : "never refreshed"
            let kind = aggregate.isRealTime ? "real-time" : "not real-time"
            lines.append(.note("\(name): continuous aggregate, \(kind), \(refresh)"))
        }
        if !hypertables.isEmpty, hypertables.values.allSatisfy({ $0.columnstoreAfter == nil }) {
            lines.append(.note("no policy is set: edgetick migrate --policies prints what it would set"))
        }
        if let job = failingJobs.first {
            let more = failingJobs.count > 1 ? " (and \(failingJobs.count - 1) more)" : ""
            let error = jobError.map { ": \($0)" } ?? ""
            let failure = "\(job)\(more) failed the last time\(error)"
            lines.append(.warning("TimescaleDB's \(failure); see timescaledb_information.job_errors"))
        }
        return lines
    }
}

extension PostgresConnection {
    /// Reads what an upload needs to know about TimescaleDB's columnstore.
    func readColumnstore(into catalog: inout Catalog) throws(UpstreamError) {
        let results = try ask(
            """
            SELECT coalesce(current_setting('timescaledb.max_tuples_decompressed_per_dml_transaction', true), '0') <> '0';
            SELECT hypertable_schema, hypertable_name, \(SQLText.milliseconds(of: "max(range_end)"))
            FROM timescaledb_information.chunks WHERE is_compressed AND isfinite(range_end) GROUP BY 1, 2
            """, "ask TimescaleDB for its columnstore")
        guard results.count == 2 else { return }
        catalog.limitsOpening = results[0].value == "t"
        for (name, table) in catalog.tables {
            let row = results[1].rows.first { $0[0] == table.schema && $0[1] == table.name }
            catalog.columnstoreEnds[name] = row?.number(2)
        }
    }
}
