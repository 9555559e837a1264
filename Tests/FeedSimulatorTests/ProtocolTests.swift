import FeedServer
import FeedServerSupport
import MarketData
import NIOCore
import NIOPosix
import NIOWebSocket
import Testing

@testable import FeedSimulator

@Suite(.timeLimit(.minutes(1)))
struct `The conversation over a socket` {
    private func waiting(_ change: (inout SimulatorConfiguration) -> Void = { _ in }) throws -> SimulatorConfiguration {
        var result = try configuration(lines: ledgerLines(frames: 3))
        result.startingClients = 99
        change(&result)
        return result
    }

    @Test func `a client is greeted, logs in, subscribes and unsubscribes`() async throws {
        try await withSimulator(try waiting()) { simulator, port in
            let client = try await TestClient.connect(port: port, path: "/any/path")
            try await client.wait { $0.texts.count == 1 }
            try await client.login()
            try await client.subscribe("AM.AAPL,T.*, Q.BRK.B")
            try await client.send(#"{"action":"unsubscribe","params":"T.*,A.NONE"}"#)
            let received = try await client.wait { $0.statuses.contains("unsubscribed to: T.*") }
            #expect(
                received.texts.first
                    == #"[{"ev":"status","status":"connected","message":"Connected Successfully"}]"#)
            #expect(
                received.statuses == [
                    "Connected Successfully", "authenticated", "subscribed to: AM.AAPL", "subscribed to: T.*",
                    "subscribed to: Q.BRK.B", "unsubscribed to: T.*",
                ])
            let statistics = try await simulator.statistics { $0.subscriptions == 2 }
            #expect(statistics.clients == 1)
            #expect(statistics.loggedIn == 1)
        }
    }

    @Test func `a repeated subscription is not answered`() async throws {
        try await withSimulator(try waiting()) { _, port in
            let client = try await TestClient.connect(port: port, subscribingTo: "AM.AAPL")
            try await client.subscribe("AM.AAPL,AM.MSFT")
            let statuses = client.snapshot.statuses
            #expect(statuses.filter { $0 == "subscribed to: AM.AAPL" }.count == 1)
        }
    }

    @Test func `a long list is confirmed channel by channel, many to a frame`() async throws {
        try await withSimulator(try waiting()) { _, port in
            let client = try await TestClient.connect(port: port)
            try await client.login()
            let channels = (0..<1500).map { "AM.S\($0)" }
            try await client.subscribe(channels.joined(separator: ","))
            let received = client.snapshot
            #expect(received.statuses.dropFirst(2) == channels.map { "subscribed to: \($0)" }[...])
            #expect(received.texts.count < 40)
        }
    }

    @Test(arguments: [
        ("hello", "the request isn't an object with action and params"),
        (#"{"action":"subscribe"}"#, "the request has no params"),
        (#"{"action":"dance","params":"x"}"#, "unknown action 'dance'"),
        (#"{"action":"subscribe","params":"XQ.AAPL"}"#, "unknown channel 'XQ.AAPL'"),
        (#"{"action":"subscribe","params":"AM"}"#, "unknown channel 'AM'"),
        (#"{"action":"subscribe","params":" , "}"#, "params names no channel"),
        (#"{"action":"auth","params":"again"}"#, "already authenticated"),
    ])
    func `a malformed request gets an error status and the connection lives on`(
        request: String, answer: String
    ) async throws {
        try await withSimulator(try waiting()) { _, port in
            let client = try await TestClient.connect(port: port)
            try await client.login()
            try await client.send(request)
            try await client.wait { $0.statuses.last == answer }
            try await client.subscribe("AM.AAPL")
        }
    }

    @Test func `nothing can be subscribed before the login`() async throws {
        try await withSimulator(try waiting()) { _, port in
            let client = try await TestClient.connect(port: port)
            try await client.send(#"{"action":"subscribe","params":"AM.*"}"#)
            try await client.wait { $0.statuses.last == "authentication required" }
        }
    }

    @Test func `a wrong key gets auth_failed and is closed`() async throws {
        let configuration = try waiting { $0.apiKey = Secret("right") }
        try await withSimulator(configuration) { simulator, port in
            let wrong = try await TestClient.connect(port: port)
            try await wrong.send(#"{"action":"auth","params":"wrong"}"#)
            let received = try await wrong.wait { $0.isClosed }
            #expect(received.texts.last?.contains(#""status":"auth_failed""#) == true)
            #expect(received.closeCode == 1008)
            let right = try await TestClient.connect(port: port)
            try await right.login(key: "right")
            #expect(simulator.statistics.loginsRefused == 1)
        }
    }

    @Test func `a client that never logs in gets auth_timeout and is closed`() async throws {
        try await withSimulator(try waiting { $0.server.loginTimeout = .milliseconds(50) }) { _, port in
            let client = try await TestClient.connect(port: port)
            let received = try await client.wait { $0.isClosed }
            #expect(received.texts.last?.contains(#""status":"auth_timeout""#) == true)
        }
    }

    @Test func `one login too many pushes the oldest out`() async throws {
        try await withSimulator(try waiting { $0.connectionLimit = 2 }) { simulator, port in
            let first = try await TestClient.connect(port: port, subscribingTo: "AM.*")
            let second = try await TestClient.connect(port: port, subscribingTo: "AM.*")
            let other = try await TestClient.connect(port: port)
            try await other.login(key: "another key")
            let third = try await TestClient.connect(port: port, subscribingTo: "AM.*")
            let received = try await first.wait { $0.isClosed }
            #expect(received.texts.last?.contains(#""status":"max_connections""#) == true)
            let statistics = try await simulator.statistics { $0.clients == 3 }
            #expect(statistics.pushedOut == 1)
            #expect(!second.snapshot.isClosed && !third.snapshot.isClosed && !other.snapshot.isClosed)
        }
    }

    @Test func `pings are answered with the same bytes, and the server pings too`() async throws {
        try await withSimulator(try waiting { $0.server.pingInterval = .milliseconds(40) }) { _, port in
            let client = try await TestClient.connect(port: port)
            try await client.ping("are you there")
            let received = try await client.wait { received in
                received.pongs == 1 && received.frames.contains { $0.opcode == .ping }
            }
            #expect(received.frames.first { $0.opcode == .pong }?.text == "are you there")
        }
    }

    @Test func `a request in fragments is understood`() async throws {
        try await withSimulator(try waiting()) { _, port in
            let client = try await TestClient.connect(port: port)
            try await client.write(.text, Array(#"{"action":"au"#.utf8), isFinal: false)
            try await client.write(.continuation, Array(#"th","params":"k"}"#.utf8))
            try await client.wait { $0.statuses.contains("authenticated") }
        }
    }

    @Test func `the client's close is answered with its code`() async throws {
        try await withSimulator(try waiting()) { simulator, port in
            let client = try await TestClient.connect(port: port)
            try await client.write(.connectionClose, [0x0B, 0xB9])
            let received = try await client.wait { $0.isClosed }
            #expect(received.closeCode == 3001)
            try await simulator.statistics { $0.clients == 0 }
        }
    }

    @Test func `a plain HTTP request is told what to do`() async throws {
        try await withSimulator(try waiting()) { _, port in
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            let answer = try await channel.executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
                var text = ""
                for try await bytes in inbound { text += String(buffer: bytes) }
                return text
            }
            #expect(answer.hasPrefix("HTTP/1.1 426 Upgrade Required"))
            #expect(answer.contains("Connect with a WebSocket client"))
        }
    }

    @Test func `a request that is too big closes the connection`() async throws {
        try await withSimulator(try waiting()) { _, port in
            let client = try await TestClient.connect(port: port)
            // The connection may be closed before all of it is written.
            try? await client.write(.text, [UInt8](repeating: 0x20, count: 2 << 20))
            let received = try await client.wait { $0.isClosed }
            #expect(received.closeCode == 1009 || received.error != nil)
        }
    }
}
