import Feed
import Foundation
import HTTPTypes
import Logging
import MarketData
import Store
import TestSupport
import Testing
import Universe
import WebAPISupport
import Wire

@testable import Collector
@testable import WebAPI

/// The description against the running server: every route is described, everything described answers as it says.
@Suite(.timeLimit(.minutes(2))) struct OpenAPITests {
    private struct Description: @unchecked Sendable {
        let document: [String: Any]

        var paths: [String: [String: Any]] { document["paths"] as? [String: [String: Any]] ?? [:] }

        func operation(_ method: String, _ path: String) -> [String: Any]? {
            paths[path]?[method.lowercased()] as? [String: Any]
        }

        /// The schema of an answer, or that of a problem if the status is not described.
        func schema(_ method: String, _ path: String, _ status: Int) -> (described: Bool, schema: [String: Any])? {
            guard let responses = operation(method, path)?["responses"] as? [String: [String: Any]] else { return nil }
            let described = responses[String(status)]
            guard let content = (described ?? responses["default"])?["content"] as? [String: [String: Any]] else {
                return nil
            }
            return (described != nil, content.values.first?["schema"] as? [String: Any] ?? [:])
        }
    }

    private func description(_ server: RunningServer) async throws -> Description {
        Description(document: try await RawHTTP(port: server.port).send("GET", "/api/openapi.json").json)
    }

    private static func server(for collector: StagedCollector) throws -> WebServer {
        WebServer(
            configuration: try WebConfiguration(port: 0),
            board: StatusBoard(collector: { collector.snapshot() }, latency: { [:] }), source: collector,
            tap: EventTap(before: collector), logger: .init(label: "test"))
    }

    @Test func `every route is described and everything described is a route`() async throws {
        let collector = StagedCollector.market()
        let server = try Self.server(for: collector)
        let routes = Set(
            server.routes.filter { !$0.path.hasPrefix("/assets/") }.map { "\($0.method.rawValue) \($0.path)" })
        try await RunningServer.run { running in
            let described = try await description(running).paths.flatMap { path, item in
                item.keys.map { "\($0.uppercased()) \(path)" }
            }
            #expect(Set(described) == routes)
        }
    }

    @Test func `access is described as it is`() async throws {
        let collector = StagedCollector.market()
        let server = try Self.server(for: collector)
        try await RunningServer.run { running in
            let description = try await description(running)
            for route in server.routes where !route.path.hasPrefix("/assets/") {
                let operation = try #require(description.operation(route.method.rawValue, route.path))
                #expect((operation["security"] != nil) == (route.access == .open), "\(route.path)")
                #expect((operation["summary"] as? String)?.isEmpty == false)
            }
        }
    }

    @Test func `operations have names of their own and references lead somewhere`() async throws {
        try await RunningServer.run { server in
            let description = try await description(server)
            #expect(description.document["openapi"] as? String == "3.1.0")
            let names = description.paths.values.flatMap { $0.values }.compactMap {
                ($0 as? [String: Any])?["operationId"] as? String
            }
            #expect(Set(names).count == names.count)
            let text = try await RawHTTP(port: server.port).send("GET", "/api/openapi.json").text
            let check = SchemaCheck(document: description.document)
            #expect(text.contains(##""$ref":"#/components/schemas/"##))
            for match in text.matches(of: /"#\/components\/schemas\/([A-Za-z]+)"/) {
                #expect(check.component(String(match.output.1)) != nil, "\(match.output.1)")
            }
        }
    }

    @Test func `answers are as described`() async throws {
        let collector = StagedCollector.market()
        try collector.fill()
        try await RunningServer.run(collector: collector) { server in
            try server.feedTrades(3, symbol: "AAPL")
            let http = RawHTTP(port: server.port)
            let description = try await description(server)
            let check = SchemaCheck(document: description.document)
            let subscriptions = #"{"symbols":["TSLA"]}"#
            let calls: [(method: String, path: String, target: String, body: String?, status: Int)] = [
                ("GET", "/api/status", "/api/status", nil, 200),
                ("GET", "/api/history", "/api/history", nil, 200),
                ("GET", "/api/relay", "/api/relay", nil, 200),
                ("GET", "/api/fleet", "/api/fleet", nil, 200),
                ("GET", "/api/websocket/connections", "/api/websocket/connections", nil, 200),
                ("GET", "/api/websocket/connections/{id}", "/api/websocket/connections/connection_1", nil, 200),
                ("GET", "/api/websocket/connections/{id}", "/api/websocket/connections/x", nil, 404),
                (
                    "GET", "/api/websocket/connections/{id}/tickers",
                    "/api/websocket/connections/connection_2/tickers", nil, 200
                ),
                (
                    "POST", "/api/websocket/connections/{id}", "/api/websocket/connections/connection_3",
                    #"{"name":"x"}"#, 201
                ),
                ("POST", "/api/websocket/connections/{id}", "/api/websocket/connections/connection_3", "{}", 409),
                ("DELETE", "/api/websocket/connections/{id}", "/api/websocket/connections/connection_3", nil, 200),
                ("POST", "/api/websocket/subscriptions", "/api/websocket/subscriptions", subscriptions, 200),
                ("DELETE", "/api/websocket/subscriptions", "/api/websocket/subscriptions", subscriptions, 200),
                ("POST", "/api/websocket/subscriptions", "/api/websocket/subscriptions", "{}", 400),
                ("POST", "/api/websocket/rebalance", "/api/websocket/rebalance", nil, 200),
                ("GET", "/api/admin/websocket-status", "/api/admin/websocket-status", nil, 200),
                ("GET", "/api/ticks/recent", "/api/ticks/recent?limit=1000", nil, 200),
                ("GET", "/api/bars", "/api/bars?symbol=IBM", nil, 200),
                ("GET", "/api/bars", "/api/bars", nil, 400),
                ("GET", "/api/gaps", "/api/gaps", nil, 200),
                ("GET", "/api/symbols", "/api/symbols", nil, 200),
                ("GET", "/api/symbols", "/api/symbols?since_ms=1", nil, 200),
                ("GET", "/api/coverage", "/api/coverage?day=2026-01-05", nil, 200),
                ("GET", "/api/coverage", "/api/coverage?day=2026-01-05&days=30&by=month&universe=tech", nil, 200),
                ("GET", "/api/coverage", "/api/coverage?universe=nope", nil, 404),
                ("GET", "/api/dead-letters", "/api/dead-letters", nil, 200),
                ("POST", "/api/dead-letters/retry", "/api/dead-letters/retry", "{}", 400),
                ("POST", "/api/dead-letters/retry", "/api/dead-letters/retry", #"{"letters":["bars:5"]}"#, 202),
                ("POST", "/api/dead-letters/discard", "/api/dead-letters/discard", #"{"letters":["bars:5"]}"#, 404),
                ("POST", "/api/dead-letters/discard", "/api/dead-letters/discard", #"{"all":true}"#, 200),
                ("GET", "/api/groups/{type}/{name}", "/api/groups/sector/Energy", nil, 200),
                ("GET", "/api/groups/{type}/{name}", "/api/groups/etf/Energy", nil, 404),
                ("GET", "/api/groups/{type}/{name}", "/api/groups/x/Energy", nil, 400),
                ("GET", "/api/universes", "/api/universes", nil, 200),
                ("GET", "/api/universes/{key}", "/api/universes/tech:nope", nil, 200),
                ("GET", "/api/universes/{key}", "/api/universes/nope", nil, 404),
                ("GET", "/api/stocks/{symbol}", "/api/stocks/AAPL", nil, 200),
                ("GET", "/api/stocks/{symbol}", "/api/stocks/a%2Ab", nil, 400),
                ("GET", "/api/etfs/{symbol}", "/api/etfs/SPY", nil, 200),
                ("GET", "/api/sectors/{name}", "/api/sectors/Energy", nil, 200),
                ("GET", "/api/sectors/{name}", "/api/sectors/Enregy", nil, 404),
                ("GET", "/api/themes/{name}", "/api/themes/ai", nil, 200),
                ("GET", "/api/groups", "/api/groups?type=ETF", nil, 200),
                ("GET", "/api/groups", "/api/groups?type=x", nil, 400),
                ("GET", "/api/websocket/symbols/{symbol}", "/api/websocket/symbols/IBM", nil, 200),
                ("GET", "/api/websocket/symbols/{symbol}", "/api/websocket/symbols/IBN", nil, 404),
                ("POST", "/api/universes/refresh", "/api/universes/refresh?type=universe&key=tech", nil, 200),
                ("POST", "/api/universes/refresh", "/api/universes/refresh?key=tech", nil, 400),
                ("GET", "/api/sync", "/api/sync", nil, 200),
                ("POST", "/api/sync", "/api/sync", nil, 202),
                ("GET", "/health/live", "/health/live", nil, 200),
                ("GET", "/health/ready", "/health/ready", nil, 503),
                ("GET", "/api/openapi.json", "/api/openapi.json", nil, 200),
            ]
            // Every described JSON operation is among the calls.
            for (path, item) in description.paths {
                for method in item.keys where path.hasPrefix("/api") && path != "/api/events" {
                    #expect(calls.contains { $0.path == path && $0.method == method.uppercased() }, "\(method) \(path)")
                }
            }
            collector.change("connection_2") { $0.feed.status = .connecting }
            _ = try await server.reply("/health/ready") { $0["status"] as? String == "failing" }
            for call in calls {
                let reply =
                    if call.path.hasPrefix("/health") {
                        try await http.untilStatus(call.status, of: call.target)
                    } else {
                        try await http.send(call.method, call.target, body: call.body)
                    }
                #expect(reply.status == call.status, "\(call.method) \(call.target)")
                let found = try #require(description.schema(call.method, call.path, reply.status), "\(call.path)")
                #expect(found.described == (reply.headers["content-type"] == "application/json"), "\(call.path)")
                let faults = check.faults(in: reply.json, against: found.schema)
                #expect(faults.isEmpty, "\(call.method) \(call.target)")
            }
        }
    }

    @Test func `described parameters are taken, and no others`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            let values = [
                "symbol": "AAPL", "from": "1", "to": "2", "interval": "60", "limit": "1", "types": "tick_update",
                "kind": "T", "type": "ETF", "state": "open,filled", "shape": "platform",
                "since_ms": "1", "day": "2026-01-05", "days": "3", "by": "week", "symbols": "AAPL", "universe": "tech",
            ]
            for (path, item) in try await description(server).paths {
                guard let operation = item["get"] as? [String: Any], path.hasPrefix("/api"), path != "/api/openapi.json"
                else { continue }
                let parameters = (operation["parameters"] as? [[String: Any]] ?? []).filter {
                    $0["in"] as? String == "query"
                }
                let query = parameters.compactMap { $0["name"] as? String }.map { "\($0)=\(values[$0] ?? "?")" }
                let target = path.replacing("{id}", with: "connection_1").replacing("{key}", with: "tech")
                    .replacing("/etfs/{symbol}", with: "/etfs/SPY").replacing("{symbol}", with: "AAPL")
                    .replacing("/sectors/{name}", with: "/sectors/Energy").replacing("{name}", with: "ai").replacing(
                        "{type}", with: "theme")
                let method = path == "/api/events" ? "HEAD" : "GET"
                let fine = try await http.send(method, target + "?" + query.joined(separator: "&"))
                #expect(fine.status == 200, "\(target) \(query)")
                let unknown = try await http.send("GET", target + "?nonsense=1")
                #expect(unknown.status == 400, "\(target)")
            }
        }
    }

    /// Texts that a schema doesn't allow, derived from it.
    private static func strangers(to schema: [String: Any]) -> [String] {
        var texts: [String] = []
        if let least = schema["minimum"] as? Int { texts.append("\(least - 1)") }
        if let most = schema["maximum"] as? Int { texts.append("\(most + 1)") }
        if schema["type"] as? String == "integer" { texts += ["x", "1.5"] }
        if schema["enum"] != nil { texts.append("7") }
        if let most = schema["maxLength"] as? Int { texts.append(String(repeating: "A", count: most + 1)) }
        if schema["pattern"] != nil { texts += ["a%22b", "a%20b"] }
        if let items = schema["items"] as? [String: Any] { texts += strangers(to: items) }
        if let most = schema["maxItems"] as? Int {
            texts.append((0...most).map { "S\($0)" }.joined(separator: ","))
        }
        return texts
    }

    @Test func `what a parameter's limits exclude is refused, and a blank one counts as left out`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            var tried = 0
            for (path, item) in try await description(server).paths {
                for (method, operation) in item {
                    guard let operation = operation as? [String: Any],
                        let parameters = operation["parameters"] as? [[String: Any]]
                    else { continue }
                    for parameter in parameters {
                        let name = try #require(parameter["name"] as? String)
                        let schema = try #require(parameter["schema"] as? [String: Any])
                        let isPath = parameter["in"] as? String == "path"
                        let others = parameters.filter {
                            $0["required"] as? Bool == true && $0["in"] as? String == "query"
                                && $0["name"] as? String != name
                        }.compactMap { $0["name"] as? String }.map { "\($0)=AAPL" }
                        func target(_ text: String) -> String {
                            guard !isPath else { return path.replacing("{\(name)}", with: text) }
                            return path + "?" + (others + ["\(name)=\(text)"]).joined(separator: "&")
                        }
                        for text in Self.strangers(to: schema) {
                            let reply = try await http.send(method.uppercased(), target(text))
                            #expect(reply.status == 400, "\(method) \(target(text))")
                            tried += 1
                        }
                        guard method == "get" else { continue }
                        let blank = try await http.send(path == "/api/events" ? "HEAD" : "GET", target(""))
                        let isRequired = parameter["required"] as? Bool == true
                        #expect(parameter["allowEmptyValue"] as? Bool == (isRequired ? nil : true))
                        #expect(blank.status == (isRequired ? 400 : 200), "\(target(""))")
                    }
                }
            }
            #expect(tried > 40)
        }
    }

    @Test func `a symbol's described form is the one that the server takes`() throws {
        let pattern = try Regex(try #require(Bounds.symbol.pattern))
        for byte in UInt8(0)...127 {
            let text = String(UnicodeScalar(byte))
            #expect((Symbol(text) != nil) == (try pattern.wholeMatch(in: text) != nil), "\(byte)")
        }
        for text in ["", "BRK.B", "ABCDEFGHIJKLMNOP", "ABCDEFGHIJKLMNOPQ", "é"] {
            #expect((Symbol(text) != nil) == (try pattern.wholeMatch(in: text) != nil), "\(text)")
        }
    }
}

extension StagedCollector {
    /// Adds something of every kind, so that answers have every member to check.
    func fill() throws {
        let symbol = try #require(Symbol("IBM"))
        var batch = EventBatch(connection: "secondary", receivedMicroseconds: 1_767_600_100_000_000)
        batch.bars = [.minute(symbol, minute: 0, close: 1.5)]
        batch.quotes = [Quote(symbol: symbol, time: 1_767_600_090_000, bid: 1, bidSize: nil, ask: nil, askSize: 2)]
        _ = offer(batch)
        record(
            Gap(
                connection: "primary", symbols: [symbol], events: [.minuteBar], from: 1_767_600_000_000,
                to: 1_767_600_060_000, cause: .stalled))
        change { state in
            state.reasons[symbol] = [
                .assignment(
                    SymbolAssignment(
                        wish: SymbolWish(
                            connection: "connection_2", name: "secondary", universeKey: "tech", list: nil,
                            fallback: .nothing), interest: .symbols([symbol]), source: .universeKey("tech"))),
                .single(origin: .api, connection: nil), .left(by: "tertiary", origin: .settings),
            ]
            state.deadLetters = [
                DeadLetter(
                    stream: .bars, sequence: 5, sqlState: "23514", reason: "check", row: "{}", time: 1_767_600_000_000)
            ]
            state.snapshot.buffer.state = .failing(message: "disk gone")
            state.snapshot.buffer[.bars].oldestPendingMilliseconds = 1_767_600_000_000
            state.snapshot.uploads[0].status.failed(nil, "away", needsPerson: false, at: .now)
            state.snapshot.connections[0].feed.lastError = FeedError(.closed, operation: "read", message: "closed")
            state.snapshot.connections[0].feed.lastErrorTime = 1_767_600_000_000
            state.snapshot.connections[0].feed.latency = 40
            state.snapshot.connections[0].assignment = SymbolAssignment(
                wish: SymbolWish(
                    connection: "connection_1", name: "primary", universeKey: "tehc", list: nil, fallback: .nothing),
                interest: .symbols([symbol]), source: .universeKey("tech"), problem: "no group is named tehc")
        }
    }
}
