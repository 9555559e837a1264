import Foundation
import TestSupport
import Testing

/// Rows that are missing or doubled upstream, as an engineer on call finds them and sends them again.
@Suite(.blocking, .timeLimit(.minutes(5)), .enabled(if: PostgresCluster.isInstalled, "PostgreSQL is not installed"))
struct LostRowsTests {
    @Test func `verify compares every uploaded row, and sync --again brings those that are gone`() async throws {
        let cluster = try PostgresCluster.shared()
        let database = try cluster.makeDatabase()
        let market = try await SimulatedMarket(rate: 300)
        let box = try CollectorBox(
            feed: market.url, settings: ["FEED_EVENTS": "T", "DATABASE_URI": cluster.uri(database)])
        let path = box.data + "/ticks.sqlite"
        @Sendable func file(_ sql: String) throws -> String { try Command.query(path, sql) }
        func upstream(_ sql: String) throws -> String { try cluster.value(sql, database: database) }
        #expect(try await box.run("migrate").status == 0)
        let (collector, _) = try await box.collect()
        try await Waiting.until(within: .seconds(60)) { Int(try file("SELECT count(*) FROM trades")) ?? 0 > 300 }
        try await collector.stop()
        try await market.kill()
        #expect(try await box.run("sync").status == 0)
        let rows = try file("SELECT count(*) FROM trades")
        let sound = try await box.run("verify")
        #expect(sound.status == 0, "\(sound.output)")
        #expect(try upstream("SELECT count(*) FROM trades") == rows)

        // Delete what was received from the hundredth row on.
        let received = try file("SELECT received_us FROM trades WHERE seq = 100")
        let first = try file("SELECT min(seq) FROM trades WHERE received_us >= \(received)")
        let since = "received_at >= timestamptz 'epoch' + \(received) * interval '1 microsecond'"
        func delete() throws { _ = try upstream("DELETE FROM trades WHERE \(since)") }
        try delete()
        let missing = try await box.run("verify")
        #expect(missing.status == 65)
        let advice = "edgetick sync --again --stream trades --from \(first)"
        #expect(missing.output.contains { $0.contains("trades \(first)…\(rows)") && $0.hasSuffix(advice) })

        // The command requires confirmation.
        let unconfirmed = try await box.run("sync", "--again", "--stream", "trades", "--from", first)
        #expect(unconfirmed.status == 64 && unconfirmed.output.contains { $0.contains("--yes") })
        #expect(try await box.run("sync").status == 0)
        #expect(try upstream("SELECT count(*) FROM trades WHERE \(since)") == "0")
        let again = try await box.run("sync", "--again", "--stream", "trades", "--from", first, "--yes")
        #expect(again.status == 0, "\(again.output)")
        #expect(try await box.run("verify").status == 0)
        #expect(try upstream("SELECT count(*) FROM trades") == rows)

        // The start can also be given as a time of receipt.
        try delete()
        let second = try #require(Int(received)) / 1_000_000
        let moment = Date(timeIntervalSince1970: Double(second)).ISO8601Format()
        let byTime = try await box.run("sync", "--again", "--from", moment, "--yes")
        #expect(byTime.status == 0, "\(byTime.output)")
        // Rows received earlier in the same second were still upstream and are not sent again.
        #expect(try upstream("SELECT count(*) FROM trades") == rows)
        #expect(try await box.run("verify").status == 0)

        _ = try upstream("INSERT INTO trades SELECT * FROM trades WHERE \(since) ORDER BY sequence OFFSET 50 LIMIT 1")
        let twice = try await box.run("verify")
        #expect(
            twice.status == 65 && twice.output.contains { $0.contains("upstream more than once") }, "\(twice.output)")
    }
}
