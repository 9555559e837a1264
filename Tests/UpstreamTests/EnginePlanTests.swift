import MarketData
import Testing

@testable import Upstream

/// What is planned for TimescaleDB and Citus, from what was found: no server is asked.
@Suite(.timeLimit(.minutes(1))) struct EnginePlanTests {
    private func table(_ name: String, symbol: String = "text", _ columns: String...) -> TableDescription {
        let all = ["symbol", "timestamp", "time"] + columns
        return TableDescription(
            schema: "public", name: name, kind: "r",
            columns: all.map {
                TableDescription.Column(
                    name: $0, ownName: $0, typeName: $0 == "symbol" ? symbol : "timestamptz", typeText: "",
                    baseTypeText: "", isRequired: false, isGenerated: false, canInsert: true, canUpdate: true,
                    canSelect: true)
            }, keys: [])
    }

    private func catalog(_ tables: TableDescription..., timescale: String? = nil, citus: String? = nil) -> Catalog {
        var catalog = Catalog()
        for table in tables { catalog.tables[table.name] = table }
        catalog.timescale = timescale
        catalog.citus = citus
        return catalog
    }

    private func policies(
        _ facts: TimescaleFacts?, _ wishes: PolicyWishes = PolicyWishes(),
        ours: Set<String> = ["ohlcv_1min", "trades"],
        barTimestamp: BarTimestamp = .start
    ) throws(UpstreamError) -> StatementPlan {
        let catalog = catalog(
            table("ohlcv_1min", "open", "high", "low", "close", "volume", "decimal_volume", "vwap"), table("trades"))
        return try PolicyPlanner(catalog: catalog, facts: facts, ours: ours, barTimestamp: barTimestamp).plan(wishes)
    }

    @Test func `a view in a table's place gets no advice to make an index, which no view can have`() {
        var (bars, trades) = (table("ohlcv_1min"), table("trades"))
        (bars.kind, trades.kind) = ("v", "v")
        let catalog = catalog(bars, trades)
        #expect(TableShape.minuteBars.faults(in: catalog) == ["it is a view or something else, not a table"])
        #expect(TableShape.minuteBars.remedies(in: catalog).isEmpty)
        #expect(TableShape.trades.warnings(in: catalog).isEmpty)
    }

    private var facts: TimescaleFacts {
        var facts = TimescaleFacts(version: "2.28.3")
        facts.hypertables = ["ohlcv_1min": .init(), "trades": .init()]
        return facts
    }

    private func reason(_ body: () throws(UpstreamError) -> StatementPlan) -> UpstreamError.Reason? {
        do throws(UpstreamError) {
            _ = try body()
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func `nothing is deleted unless a table is named, and deleting is plain to see`() throws {
        let plan = try policies(facts)
        #expect(!plan.script.contains("retention"))
        #expect(plan.script.contains("CALL public.add_columnstore_policy('public.trades', after => INTERVAL '7 days')"))
        var wishes = PolicyWishes()
        wishes.retention = ["trades": 30]
        let deleting = try policies(facts, wishes)
        #expect(deleting.steps.contains { $0.title == "trades: DELETED after 30 days" })
        #expect(!deleting.script.contains("add_retention_policy('public.ohlcv_1min'"))
    }

    @Test func `aggregates are refreshed as far back as rows are kept`() throws {
        let kept = try policies(facts)
        #expect(kept.steps.filter { $0.sql.joined().contains("start_offset => NULL") }.count == 3)
        var wishes = PolicyWishes()
        wishes.retention = ["ohlcv_1min": 60]
        let deleted = try policies(facts, wishes)
        #expect(deleted.steps.filter { $0.sql.joined().contains("start_offset => INTERVAL '60 days'") }.count == 3)
    }

    @Test func `a plan of what is there is empty, and another retention takes the refresh with it`() throws {
        var facts = facts
        facts.hypertables = [
            "ohlcv_1min": .init(isColumnstore: true, columnstoreAfter: "7 days", retention: "60 days"),
            "trades": .init(isColumnstore: true, columnstoreAfter: "3 days"),
        ]
        for aggregate in PolicyPlanner.Aggregate.all {
            facts.aggregates[aggregate.name] = .init(isRefreshed: true, refreshedFrom: "60 days")
        }
        #expect(try policies(facts).steps == [])
        var wishes = PolicyWishes()
        wishes.retention = ["ohlcv_1min": 90]
        let plan = try policies(facts, wishes)
        #expect(plan.steps.count == 4 && plan.script.contains("remove_retention_policy('public.ohlcv_1min')"))
        #expect(plan.steps.allSatisfy { $0.sql.count == 2 })
    }

    @Test func `other programs' tables are left alone until they are named`() throws {
        let plan = try policies(facts, ours: ["ohlcv_1min"])
        #expect(plan.notes.contains { $0.hasPrefix("trades: another program's table") })
        #expect(!plan.script.contains("'public.trades'"))
        var wishes = PolicyWishes()
        wishes.tables = ["trades"]
        let named = try policies(facts, wishes, ours: ["ohlcv_1min"])
        #expect(named.script.contains("'public.trades'") && !named.script.contains("ohlcv_5min"))
    }

    @Test func `what can't be is told before anything runs`() {
        let refusal1 = reason { () throws(UpstreamError) in try policies(nil) }
        #expect(refusal1 == .schema)
        var empty = facts
        empty.hypertables = [:]
        let refusal0 = reason { () throws(UpstreamError) in try policies(empty) }
        #expect(refusal0 == .schema)
        var unlicensed = facts
        unlicensed.isLicensed = false
        let refusal2 = reason { () throws(UpstreamError) in try policies(unlicensed) }
        #expect(refusal2 == .schema)
        #expect(unlicensed.remarks.count == 1 && unlicensed.remarks[0].text.contains("Apache edition"))
        for (name, days) in [("trades", 6), ("quotes", 30)] {
            var wishes = PolicyWishes()
            wishes.retention = [name: days]
            let refusal3 = reason { () throws(UpstreamError) in try policies(facts, wishes) }
            #expect(refusal3 == .data)
        }
        var foreign = PolicyWishes()
        foreign.retention = ["trades": 30]
        let refusal4 = reason { () throws(UpstreamError) in try policies(facts, foreign, ours: ["ohlcv_1min"]) }
        #expect(refusal4 == .data)
    }

    @Test func `plain tables beside hypertables are left alone, with the statement that changes it`() throws {
        var facts = facts
        facts.hypertables["trades"] = nil
        facts.conversions = ["trades": "SELECT public.create_hypertable('public.trades')"]
        let plan = try policies(facts)
        #expect(plan.notes.contains { $0.hasPrefix("trades: a plain table") && $0.contains("create_hypertable") })
        #expect(facts.remarks.contains { !$0.isWarning && $0.text.hasPrefix("trades: a plain table") })
        var wishes = PolicyWishes()
        wishes.retention = ["trades": 30]
        let error = #expect(throws: UpstreamError.self) { try policies(facts, wishes) }
        #expect(error?.text.contains("create_hypertable") == true)
    }

    @Test func `an older TimescaleDB is spoken to in its own words, and a job that fails is told`() throws {
        var old = facts
        old.saysColumnstore = false
        old.failingJobs = ["job 1000 of trades", "job 1001 of quotes"]
        old.jobError = "out of memory"
        let script = try policies(old).script
        #expect(script.contains("add_compression_policy('public.trades', compress_after => INTERVAL '7 days')"))
        #expect(script.contains("timescaledb.compress = true") && !script.contains("columnstore_policy"))
        #expect(
            old.remarks.filter(\.isWarning).map(\.text).joined()
                == "TimescaleDB's job 1000 of trades (and 1 more) failed the last time: out of memory; see "
                + "timescaledb_information.job_errors")
    }

    // MARK: - Citus

    private func distribution(
        _ facts: CitusFacts?, _ catalog: Catalog? = nil, naming named: Set<String> = [],
        ours: Set<String> = ["ohlcv_1min", "trades", "definition_groups"]
    ) throws(UpstreamError) -> StatementPlan {
        let catalog =
            catalog
            ?? self.catalog(
                table("ohlcv_1min"), table("trades"), table("definition_groups"), table("edgetick_uploads"))
        return try DistributionPlanner(catalog: catalog, facts: facts, ours: ours).plan(naming: named)
    }

    private var twoWorkers: CitusFacts {
        var facts = CitusFacts(version: "13.2")
        facts.workers = 2
        return facts
    }

    @Test func `tables of events are spread by symbol and colocated, groups copied, the ledger stays`() throws {
        var facts = twoWorkers
        facts.filled = ["trades"]
        let plan = try distribution(facts)
        #expect(
            plan.script.contains(
                "SELECT create_distributed_table('public.ohlcv_1min', 'symbol', colocate_with => 'none')"))
        #expect(
            plan.script.contains(
                "SELECT create_distributed_table('public.trades', 'symbol', colocate_with => 'public.ohlcv_1min')"))
        #expect(plan.script.contains("SELECT create_reference_table('public.definition_groups')"))
        #expect(plan.notes.contains("edgetick_uploads: stays on the coordinator"))
        // Rows from before stay on the coordinator, where they only take up space.
        #expect(plan.script.contains("truncate_local_data_after_distributing_table('public.trades')"))
        #expect(!plan.script.contains("truncate_local_data_after_distributing_table('public.ohlcv_1min')"))
    }

    @Test func `symbols of another type make a group of their own`() throws {
        let catalog = catalog(table("ohlcv_1min", symbol: "varchar"), table("trades"), table("quotes"))
        let plan = try distribution(twoWorkers, catalog, ours: ["ohlcv_1min", "trades", "quotes"])
        let groups = plan.steps.compactMap { $0.sql.first }.filter { $0.contains("colocate_with") }.map {
            $0.suffix(16)
        }
        #expect(groups.map { $0.contains("'none'") } == [true, true, false])
    }

    @Test func `what is spread already is left, and a ledger that is spread goes back`() throws {
        var facts = twoWorkers
        let place = CitusFacts.Placement.distributed(column: "symbol", shards: 32, group: "1")
        facts.placements = ["ohlcv_1min": place, "trades": place, "definition_groups": .reference]
        #expect(try distribution(facts).steps == [])
        facts.placements["edgetick_uploads"] = .reference
        let plan = try distribution(facts)
        #expect(plan.script.contains("SELECT undistribute_table('edgetick_uploads')"))
        let catalog = catalog(table("ohlcv_1min"), table("trades"), table("edgetick_uploads"))
        let warnings = facts.remarks(in: catalog).filter(\.isWarning).map(\.text)
        #expect(warnings.count == 1 && warnings[0].contains("collectors wait for one another"))
    }

    @Test func `no coordinator, no extension, hypertables: refused with the reason`() {
        let refusal5 = reason { () throws(UpstreamError) in try distribution(nil) }
        #expect(refusal5 == .schema)
        var worker = twoWorkers
        worker.isCoordinator = false
        let refusal6 = reason { () throws(UpstreamError) in try distribution(worker) }
        #expect(refusal6 == .schema)
        #expect(worker.remarks(in: Catalog()).map(\.isWarning) == [true])
        let both = catalog(table("trades"), timescale: "2.28.3", citus: "13.2")
        let refusal7 = reason { () throws(UpstreamError) in try distribution(twoWorkers, both) }
        #expect(refusal7 == .schema)
        let refusal8 = reason { () throws(UpstreamError) in try distribution(twoWorkers, naming: ["nothing"]) }
        #expect(refusal8 == .data)
        let refusal9 = reason { () throws(UpstreamError) in try distribution(twoWorkers, catalog()) }
        #expect(refusal9 == .schema)
    }
}
