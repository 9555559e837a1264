import Foundation
import TestSupport
import Testing

/// Two boxes of a group collect the same symbols and upload into one database.
@Suite(.blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"), .timeLimit(.minutes(10)))
struct PairTests {
    private static let capture = Places.repository + "/Fixtures/captures/demo.ndjson"

    private func box(_ name: String, feed: String, _ database: Database, group: String? = "nyc") throws -> Box {
        var more = ["COLLECTOR_ID": name]
        more["COLLECTOR_GROUP"] = group
        return try Box(feed: feed, database: database.uri, more: more)
    }

    @Test func `a lagging box, a broken feed and kills of either: upstream holds each event of the day once`()
        async throws
    {
        let database = try Database(in: .shared())
        let whole = try await SimulatedFeed(
            captures: [Self.capture], options: ["--speed", "flat-out", "--exit-when-done"])
        let broken = try await SimulatedFeed(
            captures: [Self.capture], options: ["--speed", "60", "--exit-when-done", "--fault", "drop-every=50"])
        let (first, second) = (
            try box("nyc-a", feed: whole.url, database), try box("nyc-b", feed: broken.url, database)
        )
        let made = try await first.edgetick("migrate", "--tick-identity")
        try #require(made.0 == 0, "\(made.1)")

        // The lock lets trades be uploaded but not quotes, so that both boxes are killed in the middle of an upload.
        let lock = try ChildProcess(
            "/usr/bin/env",
            [
                "psql", "-X", "-d", database.uri, "-c",
                "BEGIN; LOCK TABLE quotes IN EXCLUSIVE MODE; SELECT pg_sleep(600)",
            ])
        try await Waiting.until {
            try database.value("SELECT count(*) FROM pg_locks WHERE relation = 'quotes'::regclass AND granted") != "0"
        }
        let a = try first.start("run")
        var b = try second.start("run")
        let sent = try await whole.sent(within: .seconds(60))
        try await Waiting.until {
            try await first.sqlite(
                "SELECT (SELECT count(*) FROM bars) + (SELECT count(*) FROM trades) + (SELECT count(*) FROM quotes)")
                == ["\(sent)"]
        }
        try await Waiting.until(within: .seconds(60)) {
            try database.value(
                """
                SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%quotes%'
                AND datname = current_database()
                """) == "2"
        }
        for process in [a, b] { process.send(SIGKILL) }
        for process in [a, b] { #expect(try await process.exit() == -SIGKILL) }
        #expect(try database.value("SELECT count(*) FROM quotes") == "0")
        lock.send(SIGKILL)
        _ = try database.value(
            """
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            """)
        b = try second.start("run")
        try await b.line(containing: "collecting connections", within: .seconds(60))
        _ = try await broken.process.exit(within: .seconds(60))
        try await b.stop()

        // The box that has fewer events uploads first.
        for box in [second, first] {
            let synced = try await box.edgetick("sync")
            #expect(synced.0 == 0, "\(synced.1)")
            #expect(try await box.sqlite("SELECT count(*) FROM dead_letters") == ["0"])
        }
        try await Oracle.compare(captures: [Self.capture], sqlite: nil, postgres: database.uri)
        #expect(
            try database.value("SELECT string_agg(DISTINCT collector, ' ' ORDER BY collector) FROM trades")
                .hasPrefix("nyc-a"))
        #expect(
            try database.value("SELECT string_agg(DISTINCT collector, ' ') FROM quotes WHERE collector = 'nyc-b'")
                == "nyc-b")
    }

    @Test func `a box of a group is refused where the database would store its ticks twice, and told what heals it`()
        async throws
    {
        let database = try Database(in: .shared())
        let feed = try await SimulatedFeed(captures: [Self.capture], options: ["--speed", "flat-out"])
        let alone = try box("nyc-a", feed: feed.url, database, group: nil)
        let paired = try box("nyc-b", feed: feed.url, database)
        #expect(try await alone.edgetick("migrate").0 == 0)
        let refused = try await paired.edgetick("run")
        #expect(refused.0 == 78)
        #expect(refused.1.contains { $0.contains("edgetick migrate --tick-identity") }, "\(refused.1)")
        #expect(!FileManager.default.fileExists(atPath: paired.ticks))

        let rows = "INSERT INTO trades (symbol, time, price, size, sequence) SELECT 'A', '2013-10-08', 1, n, 7"
        _ = try database.value("\(rows) FROM generate_series(1, 3) n; SELECT 1")
        let asked = try await alone.edgetick("migrate", "--tick-identity")
        #expect(asked.0 == 64, "\(asked.1)")
        for words in [["2 duplicate rows"], ["3 times", "\"A\""], ["--yes"]] {
            #expect(asked.1.contains { line in words.allSatisfy(line.contains) }, "\(words): \(asked.1)")
        }
        #expect(try database.value("SELECT count(*) FROM trades") == "3")
        let made = try await alone.edgetick("migrate", "--tick-identity", "--yes")
        #expect(made.0 == 0 && made.1.contains { $0.contains("2 rows removed") }, "\(made.1)")
        #expect(try database.value("SELECT count(*) FROM trades") == "1")
        let again = try await alone.edgetick("migrate", "--tick-identity")
        #expect(again.0 == 0 && again.1.contains { $0 == "trades: a unique key identifies events" }, "\(again.1)")
        let collector = try paired.start("run")
        try await Waiting.until(within: .seconds(60)) { try database.value("SELECT count(*) > 1 FROM trades") == "t" }
        try await collector.stop()
    }

    @Test func `a box of a group that comes before the tables says what makes them, and uploads once they are made`()
        async throws
    {
        let database = try Database(in: .shared())
        let feed = try await SimulatedFeed(captures: [Self.capture], options: ["--speed", "30", "--resume"])
        let paired = try box("nyc-a", feed: feed.url, database)
        let collector = try paired.start("run")
        try await collector.line(containing: "no ticks are uploaded before `edgetick migrate --tick-identity`")
        let doctor = try await paired.edgetick("doctor")
        #expect(
            doctor.1.contains { $0.contains("trades: missing; run `edgetick migrate --tick-identity`") }, "\(doctor.1)")
        #expect(try await paired.edgetick("migrate", "--tick-identity").0 == 0)
        try await Waiting.until(within: .seconds(120)) { try database.value("SELECT count(*) > 5 FROM trades") == "t" }
        try await collector.stop()
    }

    @Test
    func `every table of ticks gets its identity, whatever this box collects, and the statements can be read before`()
        async throws
    {
        let database = try Database(in: .shared())
        let box = try Box(feed: "ws://127.0.0.1:1/stocks", events: "AM", database: database.uri)
        #expect(try await box.edgetick("migrate").0 == 0)
        let count = "SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%_identity'"
        let printed = try await box.edgetick("migrate", "--tick-identity", "--print")
        #expect(printed.0 == 0 && printed.1.count { $0.hasPrefix("CREATE UNIQUE INDEX") } == 5, "\(printed.1)")
        #expect(try database.value(count) == "0")
        let made = try await box.edgetick("migrate", "--tick-identity")
        #expect(made.0 == 0, "\(made.1)")
        #expect(try database.value(count) == "5")
    }

    @Test func `migrate --json has each table and identity, also those done before a failure`() async throws {
        func rows(_ output: [String], of member: String) throws -> [String: [String: Any]] {
            let line = try #require(output.first { $0.hasPrefix("{") }, "\(output)")
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            let rows = object?[member] as? [[String: Any]] ?? []
            return Dictionary(uniqueKeysWithValues: rows.map { ($0["table"] as? String ?? "", $0) })
        }
        let database = try Database(in: .shared())
        let box = try Box(feed: "ws://127.0.0.1:1/stocks", events: "AM,T", database: database.uri)
        let made = try await box.edgetick("migrate", "--tick-identity", "--json")
        #expect(made.0 == 0 && made.1.allSatisfy { !$0.hasPrefix("ohlcv_1min: ") }, "\(made.1)")
        #expect(try rows(made.1, of: "tables")["trades"]?["state"] as? String == "created", "\(made.1)")
        #expect(try rows(made.1, of: "identities").count == 5, "\(made.1)")

        _ = try database.value(
            """
            DROP INDEX trades_identity;
            INSERT INTO trades (symbol, time, price, size, sequence)
                SELECT 'A', '2013-10-08', 1, n, 7 FROM generate_series(1, 3) n
            """)
        let asked = try await box.edgetick("migrate", "--tick-identity", "--json")
        #expect(asked.0 == 64, "\(asked.1)")
        for words in ["2 duplicate rows", "--yes"] { #expect(asked.1.contains { $0.contains(words) }, "\(asked.1)") }
        #expect(try rows(asked.1, of: "tables")["trades"]?["state"] as? String == "present", "\(asked.1)")
        #expect(try rows(asked.1, of: "identities")["trades"] == nil, "\(asked.1)")
        let again = try await box.edgetick("migrate", "--tick-identity", "--yes", "--json")
        #expect(again.0 == 0, "\(again.1)")
        let identities = try rows(again.1, of: "identities")
        #expect(identities["trades"]?["removed_rows"] as? Int == 2, "\(again.1)")
        #expect(identities["quotes"]?["state"] as? String == "present", "\(again.1)")

        let other = try Database(in: .shared())
        _ = try other.value("CREATE TABLE trades (id int)")
        let refused = try await box.edgetick("migrate", "--json", environment: ["DATABASE_URI": other.uri])
        #expect(refused.0 == 78 && refused.1.contains { $0.contains("can't be used as they are: trades") })
        let tables = try rows(refused.1, of: "tables")
        #expect(tables["trades"]?["state"] as? String == "unusable", "\(refused.1)")
        #expect(tables["trades"]?["stops_upload"] as? Bool == true, "\(refused.1)")
        #expect(tables["ohlcv_1min"]?["state"] as? String == "created", "\(refused.1)")
    }

    @Test func `a table that can't have an identity is named, and keeps no other from getting one`() async throws {
        let database = try Database(in: .shared())
        let box = try Box(feed: "ws://127.0.0.1:1/stocks", events: "AM", database: database.uri)
        #expect(try await box.edgetick("migrate").0 == 0)
        _ = try database.value(
            """
            ALTER TABLE trades ALTER trade_id TYPE bigint USING trade_id::bigint;
            ALTER TABLE luld ALTER indicators TYPE json USING indicators::json;
            SELECT 1
            """)
        let made = try await box.edgetick("migrate", "--tick-identity")
        #expect(made.0 == 78, "\(made.1)")
        for words in [["trades can't have an identity", "trade_id"], ["luld can't have an identity", "json"]] {
            #expect(made.1.contains { line in words.allSatisfy(line.contains) }, "\(words): \(made.1)")
        }
        #expect(try database.value("SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%_identity'") == "3")
    }

    @Test func `while the database can't be asked a box of a group collects, and sends no ticks before it can`()
        async throws
    {
        let cluster = try PostgresCluster()
        let database = try Database(in: cluster)
        let feed = try await SimulatedFeed(captures: [Self.capture], options: ["--speed", "30", "--resume"])
        let paired = try box("nyc-a", feed: feed.url, database)
        #expect(try await paired.edgetick("migrate", environment: ["COLLECTOR_GROUP": ""]).0 == 0)
        try cluster.stop(.immediate)
        let collector = try paired.start("run")
        try await collector.line(containing: "no ticks are uploaded before it can")
        try await Waiting.until(within: .seconds(60)) {
            (try? await paired.sqlite("SELECT count(*) > 5 FROM trades")) == ["1"]
        }
        try cluster.start()
        try await collector.line(containing: "edgetick migrate --tick-identity", within: .seconds(60))
        try await Waiting.until(within: .seconds(60)) {
            try database.value("SELECT count(*) > 0 FROM ohlcv_1sec") == "t"
        }
        #expect(try database.value("SELECT count(*) FROM trades") == "0")
        #expect(try await paired.edgetick("migrate", "--tick-identity").0 == 0)
        try await Waiting.until(within: .seconds(120)) { try database.value("SELECT count(*) > 5 FROM trades") == "t" }
        try await collector.stop()
    }
}
