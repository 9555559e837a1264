import Foundation
import MarketData
import TestSupport
import Testing
import WebAPISupport

/// A database that accepts no rows of one stream, as an engineer on call sees it.
@Suite(.blocking, .timeLimit(.minutes(5)), .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"))
struct RefusedUploadTests {
    private struct Stream {
        let uploaded: Int
        let failure: String?
    }

    private func stream(_ name: String, _ response: RawHTTP.Reply) -> Stream {
        let streams = response.json["streams"] as? [String: [String: Any]]
        return Stream(
            uploaded: streams?[name]?["rows_uploaded"] as? Int ?? 0, failure: streams?[name]?["failure"] as? String)
    }

    @Test func `rows without a partition wait, are not called uploaded, and the other streams go on`() async throws {
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        let uri = cluster.uri(database)
        _ = try cluster.psql(
            """
            CREATE TABLE trades (symbol text, time timestamptz, price numeric, size numeric, sequence bigint)
            PARTITION BY RANGE (time)
            """, database: database)
        let market = try await SimulatedMarket(rate: 200)
        let box = try CollectorBox(feed: market.url, settings: ["FEED_EVENTS": "T,Q", "DATABASE_URI": uri])
        #expect(try await box.run("migrate").status == 0)
        let (process, port) = try await box.collect()
        let http = RawHTTP(port: port)
        let failing = try await http.until("/api/sync") { stream("trades", $0).failure != nil }
        #expect(stream("trades", failing).failure?.contains("no partition of relation") == true)
        #expect(failing.json["state"] as? String == "needs_person")
        let uploaded = stream("quotes", failing).uploaded
        let later = try await http.until("/api/sync") { stream("quotes", $0).uploaded > uploaded }
        #expect(stream("trades", later).uploaded == 0 && stream("quotes", later).failure == nil)
        #expect(later.json["rows_uploaded"] as? Int == stream("quotes", later).uploaded)
        #expect(later.json["rows_refused"] as? Int == 0)
        let health = try await http.until("/health/ready") { $0.status == 200 && $0.level(of: "sync") == "degraded" }
        #expect(health.detail(of: "sync")?.hasPrefix("a person must fix this: trades: ") == true)
        let metrics = try await http.send("GET", "/metrics").text
        #expect(metrics.contains(#"edgetick_upload_stream_failing{stream="trades"} 1"#))
        #expect(metrics.contains(#"edgetick_upload_stream_failing{stream="quotes"} 0"#))
        try await process.stop()
        try await market.kill()

        let refused = try await box.run("sync")
        #expect(refused.status == 65)
        #expect(refused.output.contains { $0.contains("the trades are not all uploaded: ") }, "\(refused.output)")
        _ = try cluster.psql("CREATE TABLE trades_all PARTITION OF trades DEFAULT", database: database)
        let sent = try await box.run("sync")
        #expect(sent.status == 0, "\(sent.output)")
        let file = try Command.query(box.data + "/ticks.sqlite", "SELECT count(*) FROM trades")
        let upstream = try cluster.value("SELECT count(*) FROM trades", database: database)
        #expect(upstream == file && file != "0")
        #expect(sent.output.contains { $0.contains("uploaded \(Int64(file)?.grouped ?? file) rows") }, "\(sent.output)")
    }
}
