import Foundation
import MarketData
import TestSupport
import Testing

@testable import Upstream

/// TimescaleDB itself, where it is installed: policies, aggregates, corrections of what is in the columnstore.
@Suite(
    .blocking, .serialized,
    .enabled(if: PostgresCluster.offersTimescale, "TimescaleDB is not installed on this machine"),
    .timeLimit(.minutes(5)))
struct TimescaleTests {
    /// A database without the extension.
    private func emptySandbox() throws -> Sandbox {
        let cluster = try PostgresCluster.shared("timescale") { () throws(PostgresCluster.Failure) in
            try PostgresCluster(settings: [
                // No background jobs: the tests refresh the aggregates themselves.
                "shared_preload_libraries": "timescaledb", "max_worker_processes": "0",
            ])
        }
        return try Sandbox.empty(on: cluster)
    }

    private func sandbox() async throws -> Sandbox {
        let sandbox = try emptySandbox()
        try sandbox.run("CREATE EXTENSION timescaledb")
        _ = try await UpstreamSchema.migrate(sandbox.configuration())
        return sandbox
    }

    private func setUp(_ sandbox: Sandbox, _ wishes: PolicyWishes = PolicyWishes(), _ timestamp: BarTimestamp = .start)
        async throws
    {
        let configuration = try sandbox.configuration(barTimestamp: timestamp)
        let plan = try await UpstreamEngines.plan(.policies(wishes), configuration)
        try await UpstreamEngines.run(plan, configuration)
    }

    /// Minutes of two symbols with prices and volumes of their own, one of them without a VWAP.
    private func bars(_ minutes: Range<Int64>, of symbols: [String] = ["AAPL", "IBM"]) -> [Bar] {
        symbols.flatMap { symbol in
            minutes.map { minute in
                var bar = bar(symbol, minute: minute, close: 30 + Double(minute % 17), volume: Double(100 + minute % 7))
                bar.open = 30 + Double(minute % 13)
                bar.high = 60 + Double(minute % 5)
                bar.low = 20 - Double(minute % 3)
                bar.vwap = minute % 11 == 0 ? nil : 31 + Double(minute % 10)
                return bar
            }
        }
    }

    /// The aggregate computed from the bars, by SQL without TimescaleDB's functions.
    private func expected(_ window: String) -> String {
        """
        SELECT symbol, \(window), (array_agg(open ORDER BY start_ms))[1], max(high), min(low),
            (array_agg(close ORDER BY start_ms DESC))[1], sum(decimal_volume),
            round(sum(vwap * decimal_volume) / sum(decimal_volume) FILTER (WHERE vwap IS NOT NULL), 8)
        FROM ohlcv_1min GROUP BY 1, 2 ORDER BY 1, 2
        """
    }

    private func aggregate(_ name: String) -> String {
        "SELECT symbol, timestamp, open, high, low, close, volume, round(vwap, 8) FROM \(name) ORDER BY 1, 2"
    }

    private static let day = "date_trunc('day', to_timestamp(start_ms / 1000), 'America/New_York')"
    private static let fiveMinutes = "to_timestamp(start_ms / 300000 * 300)"
    private static let hour = "to_timestamp(start_ms / 3600000 * 3600)"

    @Test func `policies are planned, set up and told, and planned again there is nothing to do`() async throws {
        let sandbox = try await sandbox()
        let configuration = try sandbox.configuration()
        #expect(try await UpstreamEngines.look(configuration).contains { $0.text.contains("no policy is set") })
        var wishes = PolicyWishes()
        wishes.retention = ["quotes": 30, "ohlcv_1min": 400]
        try await setUp(sandbox, wishes)
        #expect(try await UpstreamEngines.plan(.policies(wishes), configuration).steps == [])
        let lines = try await UpstreamEngines.look(configuration).map(\.text)
        #expect(lines.contains("quotes: hypertable, columnstore after 7 days, deleted after 30 days"))
        #expect(lines.contains("trades: hypertable, columnstore after 7 days, kept forever"))
        #expect(lines.contains("ohlcv_1day: continuous aggregate, real-time, refreshed over the last 400 days"))
        wishes.retention["ohlcv_1min"] = 500
        try await setUp(sandbox, wishes)
        let later = try await UpstreamEngines.look(configuration).map(\.text)
        #expect(later.contains("ohlcv_5min: continuous aggregate, real-time, refreshed over the last 500 days"))
    }

    @Test(arguments: BarTimestamp.allCases)
    func `aggregates are right while real-time, once written down, and after corrections`(timestamp: BarTimestamp)
        async throws
    {
        let sandbox = try await sandbox()
        try await setUp(sandbox, PolicyWishes(), timestamp)
        let uploader = try sandbox.uploader(barTimestamp: timestamp)
        // Past midnight in New York and in UTC.
        let minutes = Int64(0)..<1000
        _ = try await uploader.upload(batch(bars(minutes)))
        let windows = [("ohlcv_5min", Self.fiveMinutes), ("ohlcv_1hour", Self.hour), ("ohlcv_1day", Self.day)]
        func compare(_ moment: Comment) throws {
            for (name, window) in windows {
                let rows = try sandbox.run(aggregate(name))
                #expect(try rows == sandbox.run(expected(window)) && !rows.isEmpty, moment)
            }
        }
        try compare("real-time")
        for (name, _) in windows { try sandbox.run("CALL refresh_continuous_aggregate('\(name)', NULL, NULL)") }
        try compare("written down")
        var corrections = bars(100..<140)
        for index in corrections.indices {
            corrections[index].volume += 1000
            corrections[index].high += 7
        }
        #expect(try await uploader.upload(batch(corrections, from: 5000)).updated == corrections.count)
        for (name, _) in windows { try sandbox.run("CALL refresh_continuous_aggregate('\(name)', NULL, NULL)") }
        try compare("corrected")
        await uploader.disconnect()
    }

    @Test func `corrections of what is in the columnstore replace their bar and no other, late rows are added`()
        async throws
    {
        let sandbox = try await sandbox()
        try await setUp(sandbox)
        let uploader = try sandbox.uploader()
        // Two chunks of seven days.
        let week = Int64(7 * 24 * 60)
        _ = try await uploader.upload(batch(bars(0..<400) + bars(week..<week + 400)))
        try sandbox.run("SELECT compress_chunk(c) FROM show_chunks('ohlcv_1min') c")
        let before = try sandbox.run("SELECT sum(hashtext(o::text)::bigint) FROM ohlcv_1min o WHERE symbol = 'IBM'")
        var corrections = bars(10..<20, of: ["AAPL"])
        for index in corrections.indices { corrections[index].close = 99.25 }
        let late = bars(500..<510, of: ["AAPL"])
        let outcome = try await uploader.upload(batch(corrections + late, from: 10_000))
        #expect(outcome.refused == 0 && outcome.unchanged == 0)
        #expect(try sandbox.run("SELECT count(*), count(*) FILTER (WHERE close = 99.25) FROM ohlcv_1min") == "1610|10")
        #expect(
            try sandbox.run("SELECT sum(hashtext(o::text)::bigint) FROM ohlcv_1min o WHERE symbol = 'IBM'") == before)
        // The same again changes nothing.
        #expect(try await uploader.upload(batch(corrections, from: 20_000)).unchanged == corrections.count)
        await uploader.disconnect()
    }

    @Test func `a batch that reaches into the columnstore is merged at once, however many rows it opens`() async throws
    {
        let sandbox = try await sandbox()
        try await setUp(sandbox)
        let first = try sandbox.uploader(buffer: "00000000-0000-4000-8000-000000000001")
        let new = try await first.upload(batch(bars(0..<400)))
        #expect(new.path == .direct)
        await first.disconnect()
        try sandbox.run("SELECT compress_chunk(c) FROM show_chunks('ohlcv_1min') c")
        // A limit that a single row exceeds.
        try sandbox.run(
            """
            ALTER DATABASE "\(sandbox.database)"
            SET timescaledb.max_tuples_decompressed_per_dml_transaction = 10
            """)
        let second = try sandbox.uploader(buffer: "00000000-0000-4000-8000-000000000002")
        var corrections = bars(0..<400)
        for index in corrections.indices { corrections[index].volume += 1 }
        let outcome = try await second.upload(batch(corrections))
        #expect(outcome.path == .staging && outcome.updated == corrections.count)
        // What comes after the last chunk of the columnstore goes directly.
        let week = Int64(7 * 24 * 60)
        let late = bars(2 * week..<2 * week + 10)
        #expect(try await second.upload(batch(late, from: 5000)).path == .direct)
        let volume = (corrections + late).reduce(0) { $0 + Int($1.volume) }
        #expect(try sandbox.run("SELECT sum(volume) FROM ohlcv_1min") == "\(volume)")
        await second.disconnect()
    }

    @Test func `trades that come late go into chunks of the columnstore`() async throws {
        let sandbox = try await sandbox()
        try await setUp(sandbox)
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(trades(500))
        try sandbox.run("SELECT compress_chunk(c) FROM show_chunks('trades') c")
        _ = try await uploader.upload(trades(500, from: 501))
        #expect(try sandbox.run("SELECT count(*), count(DISTINCT trade_id) FROM trades") == "1000|1000")
        await uploader.disconnect()
    }

    @Test func `rows are looked up without a lock on chunks of other times`() async throws {
        let sandbox = try await sandbox()
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(trades(300))
        try sandbox.run(
            """
            CREATE TABLE waited ();
            INSERT INTO trades (symbol, time, price, size) VALUES ('OLD', '2013-01-02', 1, 1)
            """)
        let chunk = try sandbox.run("SELECT tableoid::regclass FROM trades WHERE symbol = 'OLD'")
        // It commits once somebody waits for the lock.
        let holder = try await sandbox.cluster.holder(
            of: sandbox.database, "LOCK TABLE \(chunk); INSERT INTO waited DEFAULT VALUES")
        #expect(try await uploader.lookUp(trades(400)).present == Set(1...300))
        #expect(try sandbox.run("SELECT count(*) FROM waited") == "0")
        holder.send(SIGKILL)
        try await sandbox.endSessions()
        await uploader.disconnect()
    }

    @Test func `tables that are older than the extension become hypertables by the statements that are printed`()
        async throws
    {
        let sandbox = try emptySandbox()
        let configuration = try sandbox.configuration()
        _ = try await UpstreamSchema.migrate(configuration)
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(trades(5))
        await uploader.disconnect()
        try sandbox.run("CREATE EXTENSION timescaledb")
        let error = await #expect(throws: UpstreamError.self) {
            try await UpstreamEngines.plan(.policies(PolicyWishes()), configuration)
        }
        let text = try #require(error?.text)
        let start = try #require(text.range(of: "SELECT ")).lowerBound
        try sandbox.run(String(text[start...]))
        let plan = try await UpstreamEngines.plan(.policies(PolicyWishes()), configuration)
        for shape in TableShape.events {
            #expect(plan.script.contains("add_columnstore_policy('public.\(shape.name)'"))
        }
        #expect(try sandbox.run("SELECT count(*) FROM trades") == "5")
        #expect(try await !UpstreamEngines.look(configuration).contains { $0.text.contains("a plain table") })
    }

    @Test func `without the licensed part it is told, and nothing is planned`() async throws {
        let cluster = try PostgresCluster(settings: [
            "shared_preload_libraries": "timescaledb", "timescaledb.license": "apache",
        ])
        let sandbox = try Sandbox.empty(on: cluster)
        try sandbox.run("CREATE EXTENSION timescaledb")
        let configuration = try sandbox.configuration()
        _ = try await UpstreamSchema.migrate(configuration)
        let error = await #expect(throws: UpstreamError.self) {
            try await UpstreamEngines.plan(.policies(PolicyWishes()), configuration)
        }
        #expect(error?.text.contains("Apache edition") == true)
        #expect(try await UpstreamEngines.look(configuration).map(\.text).joined().contains("Apache edition"))
        let uploader = try sandbox.uploader()
        _ = try await uploader.upload(batch([bar()]))
        await uploader.disconnect()
    }
}
