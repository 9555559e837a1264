import Foundation
import TestSupport
import Testing

/// The relay as the product serves it, in separate processes.
@Suite(.blocking, .timeLimit(.minutes(5))) struct RelayProcessTests {
    private func rows(_ box: CollectorBox) throws -> [String] {
        let text = try Command.query(
            box.data + "/ticks.sqlite",
            """
            SELECT 'T', symbol, time_ms, price, size, exchange, tape, trade_id, conditions, sequence FROM trades
            UNION ALL SELECT 'Q', symbol, time_ms, bid, ask, bid_size, ask_size, condition, indicators, sequence FROM quotes
            ORDER BY 1, 2, 10
            """)
        return text.split(separator: "\n").map(String.init)
    }

    private func port(of process: ChildProcess) async throws -> Int {
        let line = try await process.line(containing: "the relay is listening", within: .seconds(60))
        let match = try #require(line.firstMatch(of: /port"?[=:]"?([0-9]+)/))
        return try #require(Int(match.1))
    }

    @Test func `another collector collects from the relay what this one collects`() async throws {
        let market = try await SimulatedMarket(rate: 40)
        let key = "a-key-of-the-relay"
        let first = try CollectorBox(
            feed: market.url, settings: ["RELAY_PORT": "0", "RELAY_KEYS": "another-key-0123,\(key)"])
        let (collector, _) = try await first.collect()
        let relay = try await port(of: collector)
        let second = try CollectorBox(
            feed: "ws://127.0.0.1:\(relay)/stocks", settings: ["MASSIVE_API_KEY": key, "COLLECTOR_ID": "behind"])
        let (reader, _) = try await second.collect()
        try await Waiting.until("rows behind the relay", within: .seconds(120)) {
            guard let rows = try? self.rows(second) else { return false }
            return rows.count > 500
        }
        try await market.kill()
        // For each symbol and kind, the second collector's rows are the last rows of the first one.
        try await Waiting.until("the same rows", within: .seconds(60)) {
            let (all, part) = (try self.rows(first), try self.rows(second))
            let known = Set(all)
            guard part.allSatisfy(known.contains), Set(part).count == part.count else { return false }
            let kinds = Dictionary(grouping: part) { $0.split(separator: "|").prefix(2).joined(separator: "|") }
            return kinds.allSatisfy { kind, rows in
                Array(all.filter { $0.hasPrefix(kind + "|") }.suffix(rows.count)) == rows
            }
        }
        try await collector.stop()
        #expect(!collector.output.joined().contains(key), "the key is a secret")
        try await reader.stop()
    }

    @Test func `a key that is taken out of .env is no longer let in after SIGHUP; others read on`() async throws {
        let market = try await SimulatedMarket(rate: 40)
        let (leaked, own) = ("a-key-that-leaked", "a-key-of-its-own")
        let first = try CollectorBox(feed: market.url, settings: ["RELAY_PORT": "0"])
        _ = try first.workspace.write("RELAY_KEYS=\(leaked),\(own)\n", to: ".env")
        let (collector, _) = try await first.collect()
        let url = "ws://127.0.0.1:\(try await port(of: collector))/stocks"
        let boxes = try [leaked, own].map {
            try CollectorBox(feed: url, settings: ["MASSIVE_API_KEY": $0, "COLLECTOR_ID": "behind"])
        }
        let (thief, friend) = (try await boxes[0].collect().process, try await boxes[1].collect().process)
        for reader in [thief, friend] { try await reader.line(containing: "feed connected", within: .seconds(60)) }
        _ = try first.workspace.write("RELAY_KEYS=\(own)\n", to: ".env")
        collector.send(SIGHUP)
        try await collector.line(containing: "its key is no longer in RELAY_KEYS", within: .seconds(60))
        try await thief.line(containing: "the feed refused the API key", within: .seconds(60))
        let before = try rows(boxes[1]).count
        try await Waiting.until("rows for the other", within: .seconds(60)) { try self.rows(boxes[1]).count > before }
        #expect(friend.output.count { $0.contains("feed connected") } == 1)
        for process in [thief, friend, collector] {
            try await process.stop()
        }
    }

    @Test func `what this one misses is a gap behind the relay too, and behind that one's`() async throws {
        // A port that nobody else gets while no market has it.
        let market = try await SimulatedMarket(rate: 40, port: try #require(LoopbackListener.freePort()))
        var boxes: [CollectorBox] = []
        var processes: [ChildProcess] = []
        var feed = market.url
        for name in ["first", "second", "third"] {
            let box = try CollectorBox(feed: feed, settings: ["RELAY_PORT": "0", "COLLECTOR_ID": name])
            let (process, _) = try await box.collect()
            feed = "ws://127.0.0.1:\(try await port(of: process))/stocks"
            boxes.append(box)
            processes.append(process)
        }
        let last = try #require(boxes.last)
        try await Waiting.until("rows behind both relays", within: .seconds(120)) {
            (try? self.rows(last).count > 100) ?? false
        }
        try await market.kill()
        @Sendable func gaps(_ box: CollectorBox, _ condition: String) throws -> Set<String> {
            let text = try Command.query(
                box.data + "/ticks.sqlite",
                "SELECT symbols, cause, from_ms, to_ms FROM gaps WHERE cause = 'disconnected' AND \(condition)")
            return Set(text.split(separator: "\n").map(String.init))
        }
        for box in boxes {
            try await Waiting.until("a gap that began", within: .seconds(60)) {
                try !gaps(box, "to_ms IS NULL").isEmpty
            }
        }
        let again = try await SimulatedMarket(rate: 40, port: market.port)
        for box in boxes {
            try await Waiting.until("a gap that is over", within: .seconds(120)) {
                try !gaps(box, "to_ms IS NOT NULL").isEmpty && gaps(box, "to_ms IS NULL").isEmpty
            }
        }
        // All boxes have the same gaps, so the lines between the boxes were never cut.
        let first = try gaps(boxes[0], "true")
        #expect(try first == gaps(boxes[1], "true") && first == gaps(boxes[2], "true"))
        for process in processes.reversed() {
            try await process.stop()
        }
        withExtendedLifetime(again) {}
    }

    @Test func `a symbol that only a collector behind the relay asks for is collected on demand, and shown`()
        async throws
    {
        let market = try await SimulatedMarket(rate: 40)
        let first = try CollectorBox(
            feed: market.url, settings: ["SYMBOLS": "AAPL", "RELAY_PORT": "0", "RELAY_ON_DEMAND": "true"])
        let (collector, port) = try await first.collect()
        let relay = try await self.port(of: collector)
        let second = try CollectorBox(
            feed: "ws://127.0.0.1:\(relay)/stocks", settings: ["SYMBOLS": "MSFT", "COLLECTOR_ID": "behind"])
        let (reader, _) = try await second.collect()
        try await Waiting.until("rows of MSFT in both", within: .seconds(120)) {
            guard let (all, part) = try? (self.rows(first), self.rows(second)) else { return false }
            return all.contains { $0.hasPrefix("T|MSFT|") } && all.contains { $0.hasPrefix("T|AAPL|") }
                && part.count > 20
                && part.allSatisfy { $0.split(separator: "|")[1] == "MSFT" }
        }
        @Sendable func shown(_ path: String) throws -> String {
            try Command.run(["/usr/bin/curl", "-s", "http://127.0.0.1:\(port)\(path)"])
        }
        try await Waiting.until("the demand in the API", within: .seconds(60)) {
            try shown("/api/relay").contains(#""symbols":["MSFT"]"#)
        }
        #expect(try shown("/api/relay").contains(#""agent":"edgetick""#))
        #expect(try shown("/metrics").contains("edgetick_relay_on_demand_symbols 1\n"))
        #expect(try shown("/api/websocket/symbols/MSFT").contains(#""origin":"relay""#))
        try await first.until("status") { $1.joined(separator: "\n").contains("1 symbol on demand") }
        for process in [reader, collector] {
            try await process.stop()
        }
    }

    @Test func `off loopback the relay needs keys, and a certificate its key`() async throws {
        let box = try CollectorBox(feed: "ws://127.0.0.1:1/stocks")
        let open = try await box.run("run", settings: ["RELAY_PORT": "0", "RELAY_HOST": "0.0.0.0"])
        #expect(open.status == 78)
        #expect(open.output.contains { $0.contains("RELAY_HOST") && $0.contains("RELAY_KEYS") })
        let half = try await box.run("run", settings: ["RELAY_PORT": "0", "RELAY_TLS_CERTIFICATE": "/nowhere.pem"])
        #expect(half.status == 78)
        #expect(half.output.contains { $0.contains("RELAY_TLS_KEY") })
        let missing = try await box.run(
            "run",
            settings: ["RELAY_PORT": "0", "RELAY_TLS_CERTIFICATE": "/nowhere.pem", "RELAY_TLS_KEY": "/nowhere.key"])
        #expect(missing.status == 78)
        #expect(missing.output.contains { $0.contains("/nowhere.pem") })
    }
}
