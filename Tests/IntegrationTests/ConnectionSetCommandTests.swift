import Foundation
import TestSupport
import Testing

/// Several connections, gaps and backfill as users run them.
@Suite(.timeLimit(.minutes(5))) struct ConnectionSetCommandTests {
    private static let capture = Places.repository + "/Fixtures/captures/demo.ndjson"

    @Test(.timeLimit(.minutes(3)))
    func `three connections collect a capture, and backfill brings what is missing, once`() async throws {
        let feed = try await SimulatedFeed(
            captures: [Self.capture], options: ["--speed", "600", "--aggregates", "--loop"])
        let symbols = try Self.symbols()
        try #require(symbols.count >= 3)
        let rest = feed.url.replacing("ws://", with: "http://").replacing("/stocks", with: "")
        let box = try Box(
            feed: feed.url, events: "AM",
            more: [
                "MASSIVE_REST_URL": rest, "BACKFILL_ENABLED": "false", "USE_MULTI_CONNECTION": "true",
                "WEBSOCKET_CONNECTION_1_SYMBOLS": symbols[0], "WEBSOCKET_CONNECTION_2_ENABLED": "true",
                "WEBSOCKET_CONNECTION_2_SYMBOLS": symbols[1], "WEBSOCKET_CONNECTION_3_ENABLED": "true",
                "WEBSOCKET_CONNECTION_3_SYMBOLS": symbols[2...].joined(separator: ","),
            ])
        let collector = try box.start("run")
        try await Waiting.until(within: .seconds(60)) {
            (try? await box.sqlite("select count(distinct connection) from bars"))?.first == "3"
        }
        let busy = try await box.edgetick("backfill")
        #expect(busy.0 == 75, "\(busy.1)")
        try await collector.stop()

        let listed = try await box.edgetick("gaps", "--json")
        #expect(listed.0 == 0, "\(listed.1)")
        let wrong = try await box.edgetick("backfill", "--from", "yesterday")
        #expect(wrong.0 == 64, "\(wrong.1)")
        let span = try await box.sqlite("select min(start_ms) / 1000 - 3600 from bars").first ?? ""
        let from = Date(timeIntervalSince1970: Double(span) ?? 0).formatted(.iso8601)
        let first = try await box.edgetick("backfill", "--from", from, "--symbols", symbols.joined(separator: ","))
        #expect(first.0 == 0, "\(first.1)")
        let second = try await box.edgetick("backfill", "--from", from, "--symbols", symbols.joined(separator: ","))
        #expect(second.0 == 0 && second.1.contains { $0.contains("were already there") }, "\(second.1)")
        let third = try await box.edgetick(
            "backfill", "--from", from, "--symbols", symbols.joined(separator: ","), "--json")
        #expect(third.0 == 0 && third.1.contains { $0.contains(#""present":"#) }, "\(third.1)")
        let doubled = try await box.sqlite(
            "select count(*) from (select 1 from bars where source = 'backfill' group by symbol, start_ms, interval_s "
                + "having count(*) > 1)")
        #expect(doubled == ["0"])
        try await feed.process.stop()
    }

    @Test func `a gap whose last bars the REST server may not have yet is left for later`() async throws {
        let box = try await Blocking.run {
            let box = try Box.known()
            // It ends in 2100.
            try Command.sqlite(
                box.ticks,
                """
                DELETE FROM gaps;
                INSERT INTO gaps (connection, symbols, events, from_ms, to_ms, cause, recorded_us)
                VALUES ('primary', 'AAPL', 'AM', 1704214800000, 4102444800000, 'disconnected', 1)
                """)
            return box
        }
        let (status, output) = try await box.edgetick(
            "backfill", environment: ["MASSIVE_REST_URL": "http://127.0.0.1:9"])
        #expect(status == 0 && output.contains { $0.contains("skipped 1 of 1 gap as too new") }, "\(output)")
        #expect(try await box.sqlite("select state from gaps where recorded_us = 1") == ["open"])
    }

    /// The symbols of the capture's minute bars.
    private static func symbols() throws -> [String] {
        let text = try String(contentsOfFile: capture, encoding: .utf8)
        var found: Set<String> = []
        for match in text.matches(of: /"ev":"AM","sym":"([A-Z.]+)"/) { found.insert(String(match.1)) }
        return found.sorted()
    }
}
