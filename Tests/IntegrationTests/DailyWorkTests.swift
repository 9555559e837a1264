import Foundation
import TestSupport
import Testing
import WebAPISupport

/// What a running program does by itself once a day, tested with a stepped clock.
@Suite(.blocking, .timeLimit(.minutes(5))) struct DailyWorkTests {
    private static let bars = 4 * 390

    /// Returns a moment of 2026-01-05 in New York.
    private func newYork(_ hour: Int, _ minute: Int, _ second: Int = 0) -> Date {
        Date(timeIntervalSince1970: Double(1_767_589_200 + hour * 3600 + minute * 60 + second))
    }

    private func days(_ status: [String: Any]) -> [[String: Any]] {
        (status["reconcile"] as? [String: Any])?["days"] as? [[String: Any]] ?? []
    }

    @Test func `at RECONCILE_AT the day is compared; one that stays open is told everywhere and tried again`()
        async throws
    {
        let workspace = try Workspace()
        let feed = try await SimulatedFeed(
            captures: [try MadeDay.write(in: workspace)], options: ["--speed", "flat-out", "--aggregates"])
        let rest = feed.url.replacing("ws://", with: "http://").replacing("/stocks", with: "")
        let clock = try ClockShim()
        try clock.step(to: newYork(16, 30))
        let box = try CollectorBox(
            feed: feed.url,
            settings: [
                "MASSIVE_API_KEY": "integration-test-key", "SYMBOLS": "AAPL,BRK.B,MSFT,NVDA", "FEED_EVENTS": "AM",
                "BACKFILL_ENABLED": "false", "BACKFILL_REQUESTS_PER_MINUTE": "0", "RECONCILE_AT": "21:00",
            ].merging(clock.settings) { $1 })
        let file = box.data + "/ticks.sqlite"
        let (collector, _) = try await box.collect(settings: ["MASSIVE_REST_URL": rest])
        try await Waiting.until("the whole day", within: .seconds(60)) {
            try Command.query(file, "select count(*) from bars") == "\(Self.bars)"
        }
        try await collector.stop()
        try Command.sqlite(
            file, "delete from bars where seq % 300 = 7; update bars set close = close + 1 where seq % 300 = 8")

        // The start is two seconds before RECONCILE_AT, without a REST server.
        try clock.step(to: newYork(20, 59, 58))
        let (second, port) = try await box.collect(settings: ["MASSIVE_REST_URL": "http://127.0.0.1:9"])
        let failing = try await RawHTTP(port: port).until("/api/status") {
            !days($0.json).isEmpty
        }.json
        let day = try #require(days(failing).first)
        #expect(day["day"] as? String == "2026-01-05" && day["is_complete"] as? Bool == false)
        #expect((day["error"] as? String)?.contains("127.0.0.1:9") == true, "\(day)")
        let state = try #require(failing["reconcile"] as? [String: Any])
        let ended = try #require(day["at_ms"] as? Int64)
        #expect(state["at"] as? String == "21:00" && ended >= Int64(newYork(21, 0).timeIntervalSince1970) * 1000)
        #expect(try #require(state["next_ms"] as? Int64) > ended)
        let health = try await RawHTTP(port: port).send("GET", "/health/ready").json
        let check = (health["checks"] as? [String: Any])?["reconcile"] as? [String: Any]
        #expect(check?["status"] as? String == "degraded", "\(health)")
        #expect((check?["detail"] as? String)?.contains("2026-01-05 is not complete") == true, "\(health)")
        let metrics = try await RawHTTP(port: port).send("GET", "/metrics").text
        #expect(metrics.contains("\nedgetick_reconcile_open_days 1\n"))
        try await second.stop()

        // The collector catches up once the REST server is available.
        let (third, again) = try await box.collect(settings: ["MASSIVE_REST_URL": rest])
        let done = try await RawHTTP(port: again).until("/api/status") {
            days($0.json).first?["is_complete"] as? Bool == true
        }.json
        let found = try #require(days(done).first)
        #expect(found["added_bars"] as? Int == 6 && found["corrected_bars"] as? Int == 6, "\(found)")
        #expect(found["tape_bars"] as? Int == Self.bars && found["percent"] as? Int == 100)
        let told = try await RawHTTP(port: again).send("GET", "/metrics").text
        #expect(told.contains("\nedgetick_reconcile_open_days 0\n"))
        #expect(told.contains(#"edgetick_reconcile_bars{found="added"} 6"#))
        try await third.stop()
        let whole = "select count(*) from bars_latest where close < 1000"
        #expect(try Command.query(file, whole) == "\(Self.bars)")
    }

    @Test func `export --watch writes a day of a delayed feed only when its last events have come`() async throws {
        let box = try Box.known()
        let clock = try ClockShim()
        // 20:15 in New York, when the day would be over without the delay.
        let over = Date(timeIntervalSince1970: 1_380_068_100)
        let path = box.workspace.file("out/bars/day=2013-09-24/bars.csv")
        func watch() throws -> ChildProcess {
            try box.start(
                "export", "--watch", "--format", "csv", "--output", "out",
                environment: clock.settings.merging([
                    "MASSIVE_WEBSOCKET_URL": "wss://delayed.localhost/stocks"
                ]) { $1 })
        }
        try clock.step(to: over + 60)
        let first = try watch()
        try await first.line(containing: "no such events on 2013-09-23")
        try await first.stop()
        #expect(!FileManager.default.fileExists(atPath: path))
        try clock.step(to: over + 17 * 60)
        let second = try watch()
        try await second.line(containing: "out/bars/day=2013-09-24/bars.csv  3 rows")
        try await second.stop()
    }

    @Test func `export --watch waits for a day's open gap, and after six hours writes the day with a warning`()
        async throws
    {
        let box = try Box.known()
        try Command.sqlite(box.ticks, "update gaps set state = 'open'")
        let clock = try ClockShim()
        let over = Date(timeIntervalSince1970: 1_380_068_100)
        let path = box.workspace.file("out/bars/day=2013-09-24/bars.csv")
        func watch(_ more: [String: String] = [:]) throws -> ChildProcess {
            let rest = ["MASSIVE_REST_URL": "http://127.0.0.1:9"]
            return try box.start(
                "export", "--watch", "--format", "csv", "--output", "out",
                environment: clock.settings.merging(rest) { $1 }.merging(more) { $1 })
        }
        try clock.step(to: over + 60)
        let waiting = try watch()
        try await waiting.line(containing: "1 gap of 2013-09-24 is still open")
        try await waiting.stop()
        #expect(!FileManager.default.fileExists(atPath: path))

        try clock.step(to: over + 6 * 3600)
        let late = try watch()
        try await late.line(containing: "out/bars/day=2013-09-24/bars.csv  3 rows")
        try await late.line(containing: "1 gap of 2013-09-24 is still open (edgetick gaps); once that has changed")
        try await late.stop()

        // Once the gap is closed, or while nobody fills gaps, there is nothing to wait for, except for the tape.
        try FileManager.default.removeItem(atPath: box.workspace.file("out"))
        try clock.step(to: over + 60)
        let unfilled = try watch(["BACKFILL_ENABLED": "false"])
        try await unfilled.line(containing: "out/bars/day=2013-09-24/bars.csv  3 rows")
        try await unfilled.stop()
        try Command.sqlite(box.ticks, "update gaps set state = 'filled'")
        try FileManager.default.removeItem(atPath: box.workspace.file("out"))
        try clock.step(to: over + 60)
        let compared = try watch(["RECONCILE_AT": "21:00"])
        try await compared.line(containing: "2013-09-24 has not been compared with the tape yet")
        try await compared.stop()
        let filled = try watch()
        try await filled.line(containing: "out/bars/day=2013-09-24/bars.csv  3 rows")
        try await filled.stop()
        #expect(!filled.output.contains { $0.contains("still open") })
    }

    @Test func `export --watch writes a day once, when it is over, and goes on after it when started again`()
        async throws
    {
        let box = try Box.known()
        let clock = try ClockShim()
        // 20:15 in New York, when the day is over.
        let over = Date(timeIntervalSince1970: 1_380_068_100)
        let path = box.workspace.file("out/bars/day=2013-09-24/bars.csv")
        func watch() throws -> ChildProcess {
            try box.start("export", "--watch", "--format", "csv", "--output", "out", environment: clock.settings)
        }
        let due = Date() + 3
        try clock.step(to: over - 3)
        let first = try watch()
        // The day before had nothing; this one isn't over, unless the machine was slow.
        try await first.line(containing: "no such events")
        #expect(!FileManager.default.fileExists(atPath: path) || Date() >= due)
        try await first.line(containing: "out/bars/day=2013-09-24/bars.csv  3 rows")
        try await first.line(containing: "7 rows in")
        #expect(try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").count == 4)
        let mark = box.workspace.file("out/.written.csv")
        try await Waiting.until("the mark") {
            (try? String(contentsOfFile: mark, encoding: .utf8)) == "2013-09-24\n"
        }
        try await first.stop()
        let all = FileManager.default.enumerator(atPath: box.workspace.file("out"))?.compactMap { $0 as? String } ?? []
        #expect(!all.contains { $0.hasSuffix(".partial") }, "\(all)")
        let number = try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int

        // The next day is read when it is over, and the file already written is left alone.
        try clock.step(to: over + 86_400 - 2)
        let second = try watch()
        try await second.line(containing: "no such events")
        try await Waiting.until("the mark") {
            (try? String(contentsOfFile: mark, encoding: .utf8)) == "2013-09-25\n"
        }
        try await second.stop()
        #expect(!second.output.contains { $0.contains("2013-09-24") && $0.contains("rows") }, "\(second.output)")
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int == number)
    }
}
