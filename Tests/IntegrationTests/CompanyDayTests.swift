import Foundation
import TestSupport
import Testing

/// Several boxes send the captured day to one database: each box misses something, the database nothing.
@Suite(
    .blocking, .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"),
    .enabled(if: CapturedDay.isThere, "the captured day is not beside the package"),
    .timeLimit(.minutes(20)))
struct CompanyDayTests {
    private let day: CapturedDay
    private let database: Database

    init() throws {
        day = try CapturedDay(secondBarStep: 8)
        database = try Database(in: .shared())
    }

    private func box(_ name: String, _ feed: SimulatedFeed, _ more: [String: String] = [:]) throws -> Box {
        let own = ["COLLECTOR_ID": name, "COLLECTOR_GROUP": "nyc", "BACKFILL_ENABLED": "false"]
        return try Box(feed: feed.url, database: database.uri, more: own.merging(more) { $1 })
    }

    /// Returns the end of the newest bar in a box's file, in the bar's own time; 0 if there is none.
    private static func newest(_ box: Box) async throws -> Int64 {
        Int64((try? await box.sqlite("SELECT max(end_ms) FROM bars").first) ?? "") ?? 0
    }

    /// Returns whether a box has every minute bar of a span, which shows that it lost nothing there while the market
    /// was open.
    private static func hasAll(_ box: Box, _ span: ClosedRange<Int64>, of minutes: [Int64]) async throws -> Bool {
        let found = try await box.sqlite(
            """
            SELECT count(DISTINCT symbol || start_ms) FROM bars
            WHERE interval_s = 60 AND start_ms BETWEEN \(span.lowerBound) AND \(span.upperBound)
            """)
        return found == ["\(minutes.count { span.contains($0) })"]
    }

    private func kill(_ process: ChildProcess) async throws {
        process.send(SIGKILL)
        #expect(try await process.exit() == -SIGKILL)
    }

    private func stop(_ processes: [ChildProcess]) async throws {
        for process in processes {
            try await process.stop()
        }
    }

    /// Uploads what is left, and compares what is upstream with what was captured, column by column.
    private func expectWhole(_ boxes: [Box]) async throws {
        for box in boxes {
            let synced = try await box.edgetick("sync")
            #expect(synced.0 == 0, "\(synced.1)")
            #expect(try await box.sqlite("SELECT count(*) FROM dead_letters") == ["0"])
        }
        try await Oracle.compare(captures: day.captures, sqlite: nil, postgres: database.uri)
    }

    @Test func `a pair of which one lags, one's feed drops, and both are killed holds the day once`() async throws {
        let seconds = CapturedDay.isWhole ? 180.0 : 110
        let speed = CapturedDay.speed(lasting: seconds)
        let (frames, minutes) = (try day.frames(), try day.minutes())
        let broken = try await SimulatedFeed(
            captures: day.captures,
            options: ["--speed", speed, "--exit-when-done", "--fault", "drop-every=\(frames / 3)"])
        let late = try await SimulatedFeed(
            captures: day.captures, options: ["--speed", speed, "--exit-when-done", "--resume"])
        let (ahead, behind) = (try box("nyc-a", broken), try box("nyc-b", late))
        let made = try await ahead.edgetick("migrate", "--tick-identity")
        try #require(made.0 == 0, "\(made.1)")

        var a = try ahead.start("run")
        try await Waiting.until("a tenth of the day", within: .seconds(60)) {
            try await Self.newest(ahead) > CapturedDay.moment(0.1)
        }
        var b = try behind.start("run")
        for share in [0.3, 0.72] {
            try await Waiting.until("the share \(share)", within: .seconds(seconds)) {
                try await Self.newest(ahead) > CapturedDay.moment(share)
            }
            try await kill(a)
            a = try ahead.start("run")
        }
        // The lagging box is killed only where the box that is ahead has missed nothing, since that one must supply the
        // rest.
        let margin = Int64(2000 * CapturedDay.length / seconds)
        for share in [0.36, 0.46, 0.56] {
            try await Waiting.until("a moment after \(share) that the other has", within: .seconds(seconds)) {
                let now = try await Self.newest(behind)
                guard now > CapturedDay.moment(share) else { return false }
                guard try await Self.newest(ahead) > now + margin else { return false }
                return try await Self.hasAll(ahead, now - margin...now + margin, of: minutes)
            }
            try await kill(b)
            b = try behind.start("run")
        }
        for feed in [broken, late] { _ = try await feed.sent(within: .seconds(seconds * 3)) }
        try await stop([a, b])

        let events =
            "SELECT (SELECT count(*) FROM bars) + (SELECT count(*) FROM trades) + (SELECT count(*) FROM quotes)"
        let all = try database.value("SELECT count(*) FROM edgetick_collectors")
        #expect(all == "2")
        let gaps = try await ahead.sqlite("SELECT count(DISTINCT from_ms) FROM gaps")
        #expect(Int(gaps.first ?? "") ?? 0 >= 4, "the feed did not drop: \(gaps)")
        try await expectWhole([ahead, behind])
        let upstream = try database.value(
            """
            SELECT (SELECT count(*) FROM ohlcv_1min) + (SELECT count(*) FROM ohlcv_1sec)
            + (SELECT count(*) FROM trades) + (SELECT count(*) FROM quotes)
            """)
        let had = try await (ahead.sqlite(events).first ?? "", behind.sqlite(events).first ?? "")
        print("upstream \(upstream) events, of which one box had \(had.0) and the other \(had.1)")
        #expect(Int(had.0) ?? 0 < Int(upstream) ?? 0, "the faults made nothing missing")
    }

    @Test func `three boxes share the symbols, one dies, one comes, and the database holds the day once`() async throws
    {
        let settings = [
            "SHARD": "auto", "SHARD_REPLICAS": "2", "SYMBOLS": CapturedDay.symbols.joined(separator: ","),
        ]
        let feed = try await SimulatedFeed(
            captures: day.captures,
            options: [
                "--speed", CapturedDay.speed(lasting: CapturedDay.isWhole ? 200 : 140), "--exit-when-done", "--resume",
            ])
        let boxes = try ["a", "b", "c", "d"].map { try box($0, feed, settings) }
        let made = try await boxes[0].edgetick("migrate", "--tick-identity")
        try #require(made.0 == 0, "\(made.1)")
        func share(_ members: String, _ count: Int) async throws {
            try await Waiting.until("\(members) share the symbols", within: .seconds(120)) {
                try database.value(
                    "SELECT count(*) FROM edgetick_collectors WHERE shares_with = '{\(members)}' AND state <> 'stopped'"
                )
                    == "\(count)"
            }
        }
        var processes: [ChildProcess] = []
        for box in boxes.prefix(3) { processes.append(try box.start("run")) }
        try await share("a,b,c", 3)
        try await Waiting.until("c has trades", within: .seconds(120)) {
            (try? await boxes[2].sqlite("SELECT count(*) > 100 FROM trades")) == ["1"]
        }
        let c = processes.removeLast()
        try await kill(c)
        // As if a minute had passed by the server's clock.
        _ = try database.value("UPDATE edgetick_collectors SET seen = seen - interval '61 s' WHERE id = 'c'")
        try await share("a,b", 2)
        processes.append(try boxes[3].start("run"))
        try await share("a,b,d", 3)
        #expect(
            feed.process.output.allSatisfy { !$0.hasPrefix("sent ") }, "the day was over before the boxes had changed")
        _ = try await feed.sent(within: .seconds(300))
        try await stop(processes)
        try await expectWhole(boxes)
        for box in boxes {
            let gaps = try await box.sqlite("SELECT count(*) FROM gaps WHERE cause = 'shard moved'")
            #expect(gaps == ["0"])
        }
        let all = Int(try database.value("SELECT count(*) FROM trades")) ?? 0
        var trades: [Int] = []
        for box in boxes { trades.append(Int(try await box.sqlite("SELECT count(*) FROM trades").first ?? "") ?? 0) }
        print("of \(all) trades the boxes had \(trades)")
        #expect(trades.allSatisfy { $0 > 0 } && trades.contains { $0 < all } && trades.reduce(0, +) > all)
    }
}
