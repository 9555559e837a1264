import Foundation
import TestSupport
import Testing
import WebAPISupport

/// Symbols and connections that are changed over the API while the real program collects.
@Suite(.timeLimit(.minutes(2))) struct LiveChangesTests {
    private static let connections = "/api/websocket/connections"
    private static let subscriptions = "/api/websocket/subscriptions"

    private static func collect(
        _ settings: [String: String] = [:],
        _ body: (RawHTTP, CollectorBox) async throws -> Void
    ) async throws {
        let market = try await SimulatedMarket(symbols: "AAPL,IBM,MSFT,NVDA,SPY")
        let box = try CollectorBox(
            feed: market.url,
            settings: [
                "SYMBOLS": "AAPL", "USE_MULTI_CONNECTION": "true", "WEBSOCKET_CONNECTION_1_SYMBOLS": "AAPL,NVDA",
            ].merging(settings) { $1 })
        let (collector, port) = try await box.collect()
        try await body(RawHTTP(port: port), box)
        try await collector.stop()
        withExtendedLifetime(market) {}
    }

    @Test func `a connection is added with symbols, brings them, and gives them to the others when it is removed`()
        async throws
    {
        try await Self.collect { http, box in
            let added = try await http.change("POST", Self.connections + "/connection_2", #"{"symbols":["MSFT"]}"#)
            #expect(added.status == 201, "\(added.text)")
            #expect(added.headers["location"] == Self.connections + "/connection_2")
            try await http.until(Self.connections + "/connection_2") { $0.json["confirmed_tickers"] as? Int == 1 }
            try await Waiting.until {
                try await box.has("MSFT", from: "connection_2")
            }
            let removed = try await http.change("DELETE", Self.connections + "/connection_2")
            // No symbol is lost: the remaining connection collects it.
            #expect(removed.status == 200 && removed.json["released"] as? [String] == [], "\(removed.text)")
            try await http.until(Self.connections) { $0.text.contains("connection_2") == false }
            try await http.until(Self.connections + "/connection_1") { $0.json["confirmed_tickers"] as? Int == 3 }
            try await Waiting.until { try await box.has("MSFT", from: "primary") }
        }
    }

    @Test func `an id can be used again as soon as its DELETE is answered, and the totals never fall`() async throws {
        try await Self.collect(["WEBSOCKET_CONNECTIONS_MAX": "2"]) { http, box in
            for _ in 0..<2 {
                let added = try await http.change("POST", Self.connections + "/connection_2", #"{"symbols":["MSFT"]}"#)
                #expect(added.status == 201, "\(added.text)")
                try await http.until(Self.connections + "/connection_2") { ($0.json["message_count"] as? Int ?? 0) > 0 }
                let before = try await http.totals()
                let removed = try await http.change("DELETE", Self.connections + "/connection_2")
                #expect(removed.status == 200)
                let after = try await http.totals()
                #expect(after.connections == 1 && after.events >= before.events && after.errors >= before.errors)
            }
        }
    }

    @Test func `an added connection's key is followed, and shown with what is in force`() async throws {
        try await Self.collect { http, box in
            try "symbol\nMSFT\n".write(toFile: box.data + "/tech.csv", atomically: true, encoding: .utf8)
            let imported = try await box.run("universe", "import", box.data + "/tech.csv", "--name", "tech")
            #expect(imported.status == 0, "\(imported.output)")
            let path = Self.connections + "/connection_2"
            let added = try await http.change("POST", path, #"{"universe_key":"tech","symbols":["SPY"]}"#)
            #expect(added.status == 201 && added.symbols["from"] as? String == "universe_key", "\(added.text)")
            #expect(added.symbols["origin"] as? String == "api" && added.symbols["is_as_asked"] as? Bool == true)
            try "symbol\nMSFT\nIBM\n".write(toFile: box.data + "/tech.csv", atomically: true, encoding: .utf8)
            #expect(
                try await box.run("universe", "import", box.data + "/tech.csv", "--name", "tech", "--force").status == 0
            )
            try await http.until(path + "/tickers") { Set($0.json["tickers"] as? [String] ?? []) == ["IBM", "MSFT"] }

            let symbol = try await http.send("GET", "/api/websocket/symbols/IBM").json
            #expect((symbol["reasons"] as? [[String: Any]])?.first?["key"] as? String == "tech", "\(symbol)")
            let stock = try await http.send("GET", "/api/stocks/IBM").json
            #expect(stock["universes"] as? [String] == ["tech"] && stock["sector"] as? String == "unknown")
            #expect(stock["connections"] as? [String] == ["connection_2"], "\(stock)")
            #expect(try await http.send("GET", "/api/etfs/tech").status == 404)
            let groups = try await http.send("GET", "/api/groups?type=universe").json
            #expect(groups["count"] as? Int == 1)
            let refreshed = try await http.change("POST", "/api/universes/refresh?type=stock_groups")
            #expect(refreshed.json["dropped_count"] as? Int == 1, "\(refreshed.text)")

            #expect(try await http.change("DELETE", path).status == 200)
            let other = try await http.change("POST", path, #"{"universe_key":"nowhere","symbols":["SPY"]}"#)
            #expect(other.status == 201 && other.json["universe_key"] as? String == "nowhere", "\(other.text)")
            #expect(other.symbols["from"] as? String == "list" && other.symbols["is_as_asked"] as? Bool == false)
            #expect((other.symbols["problem"] as? String)?.contains("nowhere") == true)
        }
    }

    @Test func `symbols are subscribed to and given up, once each`() async throws {
        try await Self.collect { http, box in
            let more = try await http.change("POST", Self.subscriptions, #"{"symbols":["SPY","AAPL","IBM"]}"#)
            #expect(more.json["changed_count"] as? Int == 2, "\(more.text)")
            #expect(more.json["unchanged"] as? [String] == ["AAPL"])
            try await Waiting.until { try await box.has("SPY", from: "primary") }
            let less = try await http.change(
                "DELETE", Self.subscriptions, #"{"symbols":["SPY","MSFT"],"connection":"connection_1"}"#)
            #expect(less.json["changed_count"] as? Int == 1, "\(less.text)")
            #expect(less.json["unchanged"] as? [String] == ["MSFT"])
            try await http.until(Self.connections + "/connection_1/tickers") {
                $0.json["tickers"] as? [String] == ["AAPL", "NVDA", "IBM"] && $0.json["confirmed_count"] as? Int == 3
            }
        }
    }

    @Test func `what can't be is refused, says why, and changes nothing`() async throws {
        try await Self.collect(["WEBSOCKET_CONNECTIONS_MAX": "2"]) { http, _ in
            let refused: [(String, String, String, Int, String)] = [
                ("DELETE", Self.connections + "/connection_1", "", 409, "last connection"),
                ("DELETE", Self.connections + "/connection_7", "", 404, "connection_1"),
                ("DELETE", Self.subscriptions, #"{"symbols":["AAPL","NVDA"]}"#, 409, "No symbol would be left"),
                ("POST", Self.connections + "/connection_1", #"{"symbols":["IBM"]}"#, 409, "already exists"),
                (
                    "POST", Self.connections + "/connection_2", #"{"symbols":["IBM"],"name":"primary"}"#, 422,
                    "name is taken"
                ),
                ("POST", Self.connections + "/connection_2", #"{"universe_key":"nowhere"}"#, 404, "nowhere"),
                ("POST", "/api/websocket/rebalance", "", 409, "one connection"),
                ("POST", "/api/sync", "", 409, "DATABASE_URI"),
            ]
            for (method, path, body, status, words) in refused {
                let answer = try await http.change(method, path, body)
                #expect(answer.status == status && answer.text.contains(words), "\(method) \(path): \(answer.text)")
            }
            let added = try await http.change("POST", Self.connections + "/connection_2", #"{"symbols":["IBM"]}"#)
            #expect(added.status == 201, "\(added.text)")
            let third = try await http.change("POST", Self.connections + "/connection_3", #"{"symbols":["SPY"]}"#)
            #expect(third.status == 409 && third.text.contains("WEBSOCKET_CONNECTIONS_MAX"), "\(third.text)")
            let moved = try await http.change("POST", "/api/websocket/rebalance")
            #expect(moved.status == 200 && moved.json["count"] is Int, "\(moved.text)")
            let status = try await http.send("GET", Self.connections + "/connection_1/tickers").json
            #expect(Set(status["tickers"] as? [String] ?? []).isSubset(of: ["AAPL", "NVDA", "IBM"]))
        }
    }
}

extension RawHTTP {
    /// Requests a change as the dashboard does.
    fileprivate func change(_ method: String, _ path: String, _ body: String = "") async throws -> Reply {
        try await send(method, path, body: body)
    }

    /// Returns the totals of all connections from the admin status.
    fileprivate func totals() async throws -> (connections: Int, events: Int, errors: Int) {
        let data = try await send("GET", "/api/admin/websocket-status").json["data"] as? [String: Any] ?? [:]
        return (
            data["total_connections"] as? Int ?? 0, data["total_ticks_received"] as? Int ?? 0,
            data["total_errors"] as? Int ?? 0
        )
    }
}

extension RawHTTP.Reply {
    /// The `symbols` object of a connection, which says where its symbols come from.
    fileprivate var symbols: [String: Any] { json["symbols"] as? [String: Any] ?? [:] }
}

extension CollectorBox {
    /// Returns whether the buffer holds a trade of a symbol from a connection.
    fileprivate func has(_ symbol: String, from connection: String) async throws -> Bool {
        let query = "select count(*) from trades where symbol = '\(symbol)' and connection = '\(connection)'"
        let process = try ChildProcess("/usr/bin/sqlite3", ["-readonly", data + "/ticks.sqlite", query])
        return try await process.exit() == 0 && process.output.first != "0"
    }
}
