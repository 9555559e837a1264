import Collector
import Feed
import Foundation
import MarketData
import TestSupport
import Testing
import WebAPI
import WebAPISupport

@Suite(.timeLimit(.minutes(2))) struct EventStreamTests {
    /// One message as it came over the wire.
    struct Message: @unchecked Sendable {
        var name = ""
        var id = ""
        var data: [String: Any] = [:]
    }

    /// Reads a stream, on a thread that it may block, until a message is as wanted.
    private func follow(
        _ port: Int, _ target: String = "/api/events", lastID: String? = nil,
        until isWanted: @escaping @Sendable (Message) -> Bool
    ) async throws -> [Message] {
        try await Blocking.run {
            let socket = try RawSocket(port: port)
            var head = "GET \(target) HTTP/1.1\r\nHost: localhost\r\n"
            if let lastID { head += "Last-Event-ID: \(lastID)\r\n" }
            try socket.send(Data((head + "\r\n").utf8))
            var messages: [Message] = []
            var message = Message()
            while let line = try socket.line() {
                if line.hasPrefix("event: ") {
                    message.name = String(line.dropFirst(7))
                } else if line.hasPrefix("id: ") {
                    message.id = String(line.dropFirst(4))
                } else if line.hasPrefix("data: ") {
                    let data = Data(line.dropFirst(6).utf8)
                    message.data = (try JSONSerialization.jsonObject(with: data) as? [String: Any]) ?? [:]
                } else if line.isEmpty, !message.name.isEmpty {
                    messages.append(message)
                    if isWanted(message) { return messages }
                    message = Message()
                }
            }
            throw RawHTTP.Failure(description: "the stream ended after \(messages.map(\.name))")
        }
    }

    @Test func `a reader is told the state at once and events as they come`() async throws {
        try await RunningServer.run { server in
            async let messages = follow(server.port) { $0.name == "tick_update" }
            try await server.untilFollowed()
            try server.feedTrades(3, symbol: "AAPL")
            let seen = try await messages
            #expect(seen.map(\.name).prefix(2) == ["connection_status_update", "metrics_update"])
            #expect((seen[0].data["connections"] as? [Any])?.count == 2)
            let events = try #require(seen.last?.data["events"] as? [[String: Any]])
            #expect(events.compactMap { $0["price"] as? Double } == [100, 100.01, 100.02])
            #expect(events.allSatisfy { $0["connection_id"] as? String == "connection_1" })
            #expect(seen.last?.data["seen"] as? Int == 3)
            #expect(seen.allSatisfy { !$0.id.isEmpty })
        }
    }

    @Test func `the platform's page is told in its own form`() async throws {
        try await RunningServer.run { server in
            async let messages = follow(server.port, "/api/events?shape=platform") {
                $0.name == "tick_update" && $0.data["price"] as? Double == 100.02
            }
            try await server.untilFollowed()
            try server.feedTrades(3, symbol: "AAPL")
            let seen = try await messages
            let status = try #require(seen[0].data["connections"] as? [String: [String: Any]])
            #expect(Set(status.keys) == ["connection_1", "connection_2"])
            #expect(status["connection_1"]?["name"] as? String == "primary")
            #expect(status["connection_1"]?["symbols"] is [Any])
            #expect((seen[1].data["connection_2"] as? [String: Any])?["messages_per_second"] is Double)
            let ticks = seen.filter { $0.name == "tick_update" }.map(\.data)
            #expect(ticks.count == 3 && ticks.allSatisfy { $0["connection_id"] as? String == "connection_1" })
            #expect(ticks[0]["symbol"] as? String == "AAPL" && ticks[0]["volume"] as? Double == 10)
            #expect(ticks[0]["timestamp"] as? Double == 1_767_600_000.46)
        }
    }

    @Test func `a cut connection is told within a beat`() async throws {
        try await RunningServer.run { server in
            async let messages = follow(server.port) { message in
                let changed = (message.data["connections"] as? [[String: Any]]) ?? []
                return message.name == "connection_status_update" && changed.first?["status"] as? String == "error"
            }
            try await server.untilFollowed()
            server.collector.change("connection_2") {
                $0.feed.status = .error
                $0.feed.lastError = FeedError(.keyRefused, operation: "login", message: "the feed refused the key")
            }
            let last = try #require(try await messages.last)
            let changed = try #require(last.data["connections"] as? [[String: Any]])
            #expect(changed.count == 1)
            #expect(changed[0]["id"] as? String == "connection_2")
            #expect(changed[0]["last_error"] as? String == "login: the feed refused the key")
        }
    }

    @Test func `a removed connection is told`() async throws {
        try await RunningServer.run { server in
            async let messages = follow(server.port) { ($0.data["removed"] as? [String])?.isEmpty == false }
            try await server.untilFollowed()
            _ = try await server.collector.removeConnection(id: "connection_1")
            #expect(try await messages.last?.data["removed"] as? [String] == ["connection_1"])
        }
    }

    @Test func `a filter lets only its symbols, kinds and messages pass`() async throws {
        try await RunningServer.run { server in
            async let messages = follow(server.port, "/api/events?types=tick_update&symbol=IBM,BAC&kind=T") {
                $0.name == "tick_update"
            }
            try await server.untilFollowed()
            try server.feedTrades(200, symbol: "AAPL")
            try server.feedTrades(2, symbol: "IBM")
            let seen = try await messages
            #expect(seen.count == 1)
            let events = try #require(seen[0].data["events"] as? [[String: Any]])
            #expect(events.compactMap { $0["symbol"] as? String } == ["IBM", "IBM"])
        }
    }

    @Test(arguments: ["types=nope", "kind=X", "symbol=A%2AB", "x=1"])
    func `a filter that cannot be is refused`(query: String) async throws {
        try await RunningServer.run { server in
            let reply = try await RawHTTP(port: server.port).send("GET", "/api/events?" + query)
            #expect(reply.status == 400)
        }
    }

    @Test func `a reader that comes back gets what it missed, once`() async throws {
        try await RunningServer.run { server in
            async let first = follow(server.port) { $0.name == "tick_update" }
            try await server.untilFollowed()
            try server.feedTrades(2, symbol: "AAPL")
            let last = try #require(try await first.last)
            try server.feedTrades(4, symbol: "IBM")
            let again = try await follow(server.port, lastID: last.id) { $0.name == "tick_update" }
            let events = try #require(again.last?.data["events"] as? [[String: Any]])
            #expect(events.compactMap { $0["symbol"] as? String } == ["IBM", "IBM", "IBM", "IBM"])
        }
    }

    @Test func `a burst is told by its newest events and its size`() async throws {
        try await RunningServer.run { server in
            async let messages = follow(server.port) { $0.name == "tick_update" }
            try await server.untilFollowed()
            try server.feedTrades(5000, symbol: "AAPL")
            let last = try #require(try await messages.last)
            let events = try #require(last.data["events"] as? [[String: Any]])
            #expect(events.count == 60)
            #expect(last.data["seen"] as? Int == 5000)
            #expect(events.last?["price"] as? Double == 149.99)
        }
    }

    @Test(arguments: ["own", "platform"])
    func `in a burst every connection's newest events are seen`(shape: String) async throws {
        var configuration = try WebConfiguration(port: 0)
        configuration.beat = .seconds(3)
        try await RunningServer.run(configuration) { server in
            async let messages = follow(server.port, "/api/events?types=tick_update&shape=\(shape)") { message in
                let newest = (message.data["events"] as? [[String: Any]])?.last ?? message.data
                if newest["symbol"] as? String == "MSFT" {
                    // Just after a beat: both come long before the next.
                    try? server.feedTrades(4, symbol: "AAPL")
                    try? server.feedTrades(520, symbol: "IBM", connection: "secondary")
                }
                return newest["price"] as? Double == 105.19
            }
            try await server.untilFollowed()
            try server.feedTrades(1, symbol: "MSFT")
            let seen = try await messages.dropFirst()
            let events = (seen.last?.data["events"] as? [[String: Any]]) ?? seen.map(\.data)
            #expect(events.count == 60)
            let ids = events.compactMap { $0["connection_id"] as? String }
            #expect(ids == Array(repeating: "connection_1", count: 4) + Array(repeating: "connection_2", count: 56))
            #expect(events.last?["price"] as? Double == 105.19)
        }
    }

    @Test func `a reader of a quiet symbol hears that the stream lives, sooner than the page gives it up`()
        async throws
    {
        try await RunningServer.run { server in
            let port = server.port
            let waited = try await Blocking.run {
                let socket = try RawSocket(port: port)
                let target = "/api/events?types=tick_update&symbol=QUIET"
                try socket.send(Data("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
                // A machine that stands still may be late once, and not always.
                var waits: [Duration] = []
                while waits.count < 5, !waits.contains(where: { $0 < .seconds(9) }) {
                    let start = ContinuousClock.now
                    var line = try socket.line()
                    while line != nil, line != ": still here" { line = try socket.line() }
                    try #require(line != nil, "the stream ended")
                    waits.append(ContinuousClock.now - start)
                }
                return waits
            }
            #expect(waited.contains { $0 < .seconds(9) }, "\(waited)")
        }
    }

    @Test func `too many readers are refused, and a place that is free again is given`() async throws {
        var limits = WebConfiguration.Limits()
        limits.eventClients = 1
        try await RunningServer.run(try WebConfiguration(port: 0, limits: limits)) { server in
            async let first = follow(server.port) { $0.name == "tick_update" }
            try await server.untilFollowed()
            let refused = try await RawHTTP(port: server.port).send("GET", "/api/events")
            #expect(refused.status == 503)
            #expect(refused.headers["retry-after"] != nil)
            try server.feedTrades(1, symbol: "AAPL")
            _ = try await first
            // The server notices that the reader left when it next writes to it.
            try await Waiting.until("the end of the reader") {
                try server.feedTrades(1, symbol: "AAPL")
                return try await server.readers() == 0
            }
            _ = try await follow(server.port) { $0.name == "metrics_update" }
        }
    }

    @Test func `a reader that does not read costs bounded memory and is counted`() async throws {
        var configuration = try WebConfiguration(port: 0)
        configuration.beat = .milliseconds(5)
        try await RunningServer.run(configuration) { server in
            let port = server.port
            let reader = try await Blocking.run {
                let socket = try RawSocket(port: port, receiveBytes: 4096)
                try socket.send(Data("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
                return Box(socket)
            }
            try await server.untilFollowed()
            // The kernel holds some megabytes: each beat with events fills a part.
            try await Waiting.until("a dropped message", within: .seconds(90)) {
                for _ in 0..<20 {
                    try server.feedTrades(100, symbol: "AAPL")
                    try await Task.sleep(for: .milliseconds(5))
                }
                let text = try await RawHTTP(port: port).send("GET", "/metrics").text
                return Exposition(text).value("edgetick_http_event_messages_dropped_total") ?? 0 > 0
            }
            #expect(try await server.readers() == 1)
            withExtendedLifetime(reader) {}
        }
    }
}

extension RunningServer {
    /// The number of readers of the event stream, as the server says.
    func readers() async throws -> Int {
        let json = try await RawHTTP(port: port).send("GET", "/api/status").json
        return (json["process"] as? [String: Any])?["event_clients"] as? Int ?? -1
    }

    /// Waits for a first reader of the event stream, and for the first beat, which tells of every connection.
    func untilFollowed() async throws {
        _ = try await reply("/api/history") { ($0["points"] as? [Any])?.isEmpty == false }
        _ = try await reply("/api/status") { ($0["process"] as? [String: Any])?["event_clients"] as? Int == 1 }
    }
}
