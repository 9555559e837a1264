import Foundation
import TestSupport
import Testing

/// Real events pass from a feed through the buffer into PostgreSQL; a program that shares no code with the product
/// compares them.
@Suite(.blocking, .timeLimit(.minutes(30))) struct CapturedDayTests {
    private static let bundled = Places.repository + "/Fixtures/captures/demo.ndjson"

    private let day: CapturedDay?
    /// The captures of the day if they are next to the checkout, otherwise the bundled one of five minutes.
    private let captures: [String]

    init() throws {
        day = CapturedDay.isThere ? try CapturedDay(secondBarStep: 8) : nil
        captures = day?.captures ?? [Self.bundled]
    }

    /// Returns the speed at which sending the captures takes about this many seconds.
    private func speed(lasting seconds: Double) -> String {
        day == nil ? "\((300 / seconds).rounded())" : CapturedDay.speed(lasting: seconds)
    }

    @Test(.timeLimit(.minutes(10)))
    func `a captured day comes out of SQLite and PostgreSQL as it was sent, and sending again changes nothing`()
        async throws
    {
        let database = try Database(in: .shared())
        let feed = try await SimulatedFeed(
            captures: captures, options: ["--speed", "flat-out", "--exit-when-done"])
        let box = try Box(feed: feed.url, database: database.uri)
        let (migrated, output) = try await box.edgetick("migrate")
        try #require(migrated == 0, "\(output)")
        let collector = try box.start("run")
        let sent = try await feed.sent(within: .seconds(400))
        #expect(sent > 0)
        try await collector.stop()

        let first = try await box.edgetick("sync", "--json")
        #expect(first.0 == 0, "\(first.1)")
        #expect(first.1.contains { $0.contains(#""refused":0,"kept_out":0,"streams""#) }, "\(first.1)")
        let left = try await box.edgetick("sync", "--dry-run", "--json")
        #expect(left.1.contains { $0.contains(#""bars":0"#) }, "\(left.1)")
        try await Oracle.compare(captures: captures, sqlite: box.ticks, postgres: database.uri)

        let second = try await box.edgetick("sync")
        #expect(second.0 == 0, "\(second.1)")
        #expect(second.1.contains("uploaded 0 rows"))
        try await Oracle.compare(captures: captures, sqlite: box.ticks, postgres: database.uri)
    }

    @Test(.timeLimit(.minutes(10)))
    func `a day over TLS comes out as it was sent`() async throws {
        let files = try Workspace()
        let certificates = try TestCertificates(directory: files.path)
        try certificates.makeServer("feed", alternativeNames: "DNS:localhost,IP:127.0.0.1")
        let feed = try await SimulatedFeed(
            captures: captures,
            options: [
                "--speed", "flat-out", "--exit-when-done", "--host", "localhost", "--tls-certificate",
                files.file("feed.crt"), "--tls-key", files.file("feed.key"),
            ])
        #expect(feed.url.hasPrefix("wss://"))
        let box = try Box(feed: feed.url, more: ["MASSIVE_WEBSOCKET_CA_FILE": certificates.authority])
        let collector = try box.start("run")
        _ = try await feed.sent(within: .seconds(400))
        try await collector.stop()
        try await Oracle.compare(captures: captures, sqlite: box.ticks, postgres: nil)
    }

    @Test(.timeLimit(.minutes(10)))
    func `a database that is down for the middle third of the day changes nothing`() async throws {
        let cluster = try PostgresCluster()
        let database = try Database(in: cluster)
        let feed = try await SimulatedFeed(
            captures: captures, options: ["--speed", speed(lasting: 30), "--exit-when-done"])
        let box = try Box(feed: feed.url, database: database.uri)
        try #require(try await box.edgetick("migrate").0 == 0)
        let collector = try box.start("run")
        try await collector.line(containing: "collecting")
        // The replay takes about 30 s; the first rows upstream show that it has begun.
        try await Waiting.until(within: .seconds(60)) {
            try database.value("select count(*) > 0 from ohlcv_1sec") == "t"
        }
        try cluster.stop(.immediate)
        try await collector.line(containing: "the upload failed and is tried again", within: .seconds(60))
        // Counted only now: collecting goes on although the failure is known. The day is long enough for that.
        let before = try await box.sqlite("select count(*) from bars")
        try await Waiting.until(within: .seconds(60)) {
            try await box.sqlite("select count(*) from bars") != before
        }
        try cluster.start()
        try await collector.line(containing: "the upload works again", within: .seconds(120))
        _ = try await feed.sent(within: .seconds(400))
        try await collector.stop()
        #expect(try await box.edgetick("sync").0 == 0)
        try await Oracle.compare(captures: captures, sqlite: box.ticks, postgres: database.uri)
    }

    @Test(.timeLimit(.minutes(10)))
    func `what was durable when the collector was killed is upstream once after a restart`() async throws {
        let database = try Database(in: .shared())
        let feed = try await SimulatedFeed(
            captures: captures, options: ["--speed", speed(lasting: 10), "--resume", "--exit-when-done"])
        let box = try Box(feed: feed.url, database: database.uri)
        try #require(try await box.edgetick("migrate").0 == 0)
        var durable = 0
        for _ in 0..<2 {
            let collector = try box.start("run")
            let before = durable
            try await Waiting.until(within: .seconds(60)) { try await box.bars() > before }
            durable = try await box.bars()
            collector.send(SIGKILL)
            #expect(try await collector.exit() == -SIGKILL)
        }
        let keys = try await box.sqlite("select distinct interval_s, symbol, start_ms, seq from bars order by seq")
        let collector = try box.start("run")
        _ = try await feed.sent(within: .seconds(400))
        try await collector.stop()
        #expect(try await box.edgetick("sync").0 == 0)

        let after = Set(try await box.sqlite("select distinct interval_s, symbol, start_ms, seq from bars"))
        #expect(keys.filter { !after.contains($0) } == [])
        let stored = try await box.sqlite(
            "select count(*) from (select distinct interval_s, symbol, start_ms from bars)"
        ).first
        let upstream = try database.value(
            "select (select count(*) from ohlcv_1min) + (select count(*) from ohlcv_1sec)")
        #expect(upstream == stored)
    }
}
