/// The TimescaleDB policies that a person asks for.
public struct PolicyWishes: Sendable, Equatable {
    /// The age in days at which rows are deleted, by the table's name.
    public var retention: [String: Int] = [:]
    /// The tables to set policies for; empty for all that `migrate` made.
    public var tables: Set<String> = []

    /// Creates wishes without retention, for all tables that `migrate` made.
    public init() {}
}

/// Plans TimescaleDB's policies for the existing tables. Pure.
struct PolicyPlanner {
    /// Chunks older than this many days go into the columnstore: most corrections, fills and late rows come earlier.
    static let columnstoreAfter = 7
    /// Rows younger than this many days may still be corrected, backfilled or uploaded.
    static let shortestRetention = 7

    /// A continuous aggregate over the minute bars.
    struct Aggregate {
        let name: String
        let width: String
        /// How long after its end a window is materialized; until then it is computed when read.
        let delay: String
        let schedule: String

        static let all = [
            Aggregate(name: "ohlcv_5min", width: "5 minutes", delay: "15 minutes", schedule: "5 minutes"),
            Aggregate(name: "ohlcv_1hour", width: "1 hour", delay: "1 hour", schedule: "15 minutes"),
            Aggregate(name: "ohlcv_1day", width: "1 day", delay: "1 day", schedule: "1 hour"),
        ]
    }

    let catalog: Catalog
    let facts: TimescaleFacts?
    /// The tables that `migrate` made.
    let ours: Set<String>
    let barTimestamp: BarTimestamp

    /// - Throws: reason `schema` if the database can't do it; reason `data` if a wish makes no sense.
    func plan(_ wishes: PolicyWishes) throws(UpstreamError) -> StatementPlan {
        guard let facts else {
            throw refusal(.schema, "these are policies of TimescaleDB, and the database lacks that extension")
        }
        guard facts.isLicensed else {
            throw refusal(
                .schema,
                "TimescaleDB \(facts.version) is the Apache edition (timescaledb.license is not timescale), without "
                    + "columnstore, retention policies and continuous aggregates")
        }
        guard !facts.hypertables.isEmpty else {
            guard !facts.conversions.isEmpty else {
                throw refusal(
                    .schema, "there is no hypertable yet: run `edgetick migrate` first, which makes the tables")
            }
            let statements = facts.conversions.sorted { $0.key < $1.key }.map { $0.value + ";" }.joined(separator: " ")
            throw refusal(
                .schema,
                "there is no hypertable: the tables are plain tables, made before the extension; as their owner, run "
                    + "these statements, during which nobody can use the tables: \(statements)")
        }
        try check(wishes, facts)
        var plan = StatementPlan()
        let tables = TableShape.targets.map(\.name).filter { facts.hypertables[$0] != nil }
        for name in tables where !isMeant(name, wishes) {
            plan.notes.append("\(name): another program's table, left alone; --table \(name) includes it")
        }
        for (name, sql) in facts.conversions.sorted(by: { $0.key < $1.key }) where isMeant(name, wishes) {
            plan.notes.append("\(name): a plain table, left alone; to make a hypertable of it: \(sql)")
        }
        for name in tables where isMeant(name, wishes) { addPolicies(of: name, wishes, facts, to: &plan) }
        if facts.hypertables[TableShape.minuteBars.name] != nil, isMeant(TableShape.minuteBars.name, wishes) {
            for aggregate in Aggregate.all { add(aggregate, wishes, facts, to: &plan) }
        }
        return plan
    }

    private func isMeant(_ name: String, _ wishes: PolicyWishes) -> Bool {
        wishes.tables.isEmpty ? ours.contains(name) : wishes.tables.contains(name)
    }

    private func check(_ wishes: PolicyWishes, _ facts: TimescaleFacts) throws(UpstreamError) {
        for name in wishes.tables.union(wishes.retention.keys).sorted() where facts.hypertables[name] == nil {
            let known = facts.hypertables.keys.sorted().joined(separator: ", ")
            let remedy = facts.conversions[name].map { "; to make a hypertable of it: \($0)" } ?? ""
            throw refusal(.data, "\(name) is not a hypertable here; the hypertables are: \(known)\(remedy)")
        }
        for (name, days) in wishes.retention where days < Self.shortestRetention {
            throw refusal(
                .data,
                "\(name)=\(days): rows of the last \(Self.shortestRetention) days may still be corrected or filled; keep "
                    + "them at least that long")
        }
        for name in wishes.retention.keys where !isMeant(name, wishes) {
            throw refusal(.data, "\(name) is another program's table: name it with --table \(name) as well")
        }
    }

    private func refusal(_ reason: UpstreamError.Reason, _ text: String) -> UpstreamError {
        UpstreamError(reason, "plan the policies", text)
    }

    private func addPolicies(
        of name: String, _ wishes: PolicyWishes, _ facts: TimescaleFacts, to plan: inout StatementPlan
    ) {
        guard let table = catalog.tables[name], let hypertable = facts.hypertables[name] else { return }
        let literal = SQLText.literal(table.namedBySQL)
        let retention = wishes.retention[name]
        if let after = hypertable.columnstoreAfter {
            plan.notes.append("\(name): already goes into the columnstore after \(after)")
        } else if retention.map({ $0 <= Self.columnstoreAfter }) == true {
            plan.notes.append("\(name): is deleted before it would go into the columnstore")
        } else {
            let after = "INTERVAL '\(Self.columnstoreAfter) days'"
            let time = table.quoted(TableShape.holdsBars(name) ? "timestamp" : "time")
            let (symbol, order) = (SQLText.literal(table.quoted("symbol")), SQLText.literal(time))
            let enable =
                facts.saysColumnstore
                ? "timescaledb.enable_columnstore = true, timescaledb.segmentby = \(symbol), timescaledb.orderby = \(order)"
                : "timescaledb.compress = true, timescaledb.compress_segmentby = \(symbol), "
                    + "timescaledb.compress_orderby = \(order)"
            var sql = hypertable.isColumnstore ? [] : ["ALTER TABLE \(table.namedBySQL) SET (\(enable))"]
            sql.append(
                facts.saysColumnstore
                    ? "CALL \(facts.function("add_columnstore_policy"))(\(literal), after => \(after))"
                    : "SELECT \(facts.function("add_compression_policy"))(\(literal), compress_after => \(after))")
            plan.add("\(name): into the columnstore after \(Self.columnstoreAfter) days", sql)
        }
        guard let retention else { return }
        let wished = "\(retention) days"
        guard hypertable.retention != wished else {
            plan.notes.append("\(name): is already deleted after \(wished)")
            return
        }
        let remove = "SELECT \(facts.function("remove_retention_policy"))(\(literal))"
        let add = "SELECT \(facts.function("add_retention_policy"))(\(literal), drop_after => INTERVAL '\(wished)')"
        plan.add("\(name): DELETED after \(wished)", hypertable.retention == nil ? [add] : [remove, add])
    }

    private func add(
        _ aggregate: Aggregate, _ wishes: PolicyWishes, _ facts: TimescaleFacts, to plan: inout StatementPlan
    ) {
        guard let bars = catalog.tables[TableShape.minuteBars.name] else { return }
        let view = "\(SQLText.name(bars.schema)).\(aggregate.name)"
        let present = facts.aggregates[aggregate.name]
        if present == nil {
            plan.add("\(aggregate.name): bars of \(aggregate.width), real-time", [create(aggregate, view, bars, facts)])
        } else {
            plan.notes.append("\(aggregate.name): already exists")
        }
        // Without retention, all changes are refreshed, since rows may be weeks late. With retention, the refresh must
        // stop where rows are deleted, or it would delete their aggregates too.
        let start = wishes.retention[bars.name].map { "\($0) days" } ?? facts.hypertables[bars.name]?.retention
        if let present, present.isRefreshed, present.refreshedFrom == start { return }
        let remove = "SELECT \(facts.function("remove_continuous_aggregate_policy"))(\(SQLText.literal(view)))"
        let add =
            "SELECT \(facts.function("add_continuous_aggregate_policy"))(\(SQLText.literal(view)), start_offset => "
            + "\(start.map { "INTERVAL \(SQLText.literal($0))" } ?? "NULL"), end_offset => INTERVAL "
            + "'\(aggregate.delay)', schedule_interval => INTERVAL '\(aggregate.schedule)')"
        plan.add(
            "\(aggregate.name): refreshed every \(aggregate.schedule), "
                + (start.map { "over the last \($0)" } ?? "as far back as bars were changed"),
            present?.isRefreshed == true ? [remove, add] : [add])
    }

    private func create(
        _ aggregate: Aggregate, _ view: String, _ bars: TableDescription, _ facts: TimescaleFacts
    ) -> String {
        let time = bars.quoted("timestamp")
        // Days are those of New York, where no session crosses midnight.
        let isDay = aggregate.width == "1 day" && bars.column("timestamp")?.typeName == "timestamptz"
        var bucket = "\(facts.function("time_bucket"))(INTERVAL '\(aggregate.width)', \(time)"
        if isDay { bucket += ", 'America/New_York'" }
        bucket += barTimestamp == .end ? ", \"offset\" => INTERVAL '1 minute')" : ")"
        let shown = barTimestamp == .end ? bucket + " - INTERVAL '1 minute'" : bucket
        let volume = bars.quoted("volume")
        let exact = bars.column("decimal_volume").map { _ in bars.quoted("decimal_volume") }
        let weight = exact.map { "coalesce(\($0), \(volume))" } ?? volume
        var columns = [
            bars.quoted("symbol"), "\(shown) AS \"timestamp\"",
            "\(facts.function("first"))(\(bars.quoted("open")), \(time)) AS open",
            "max(\(bars.quoted("high"))) AS high",
            "min(\(bars.quoted("low"))) AS low", "\(facts.function("last"))(\(bars.quoted("close")), \(time)) AS close",
            "sum(\(weight)) AS volume",
        ]
        if bars.column("vwap") != nil {
            let vwap = bars.quoted("vwap")
            columns.append(
                "sum(\(vwap) * \(weight)) / nullif(sum(\(weight)) FILTER (WHERE \(vwap) IS NOT NULL), 0) AS vwap")
        }
        return """
            CREATE MATERIALIZED VIEW \(view) WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
            SELECT \(columns.joined(separator: ",\n    "))
            FROM \(bars.namedBySQL) GROUP BY \(bars.quoted("symbol")), \(bucket) WITH NO DATA
            """
    }
}
