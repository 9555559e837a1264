import Collector
import FeedServer
import FeedServerSupport
import FeedSimulator
import Foundation
import LedgerSupport
import MarketData
import NIOWebSocket
import Store
import TestSupport
import Testing

@testable import Relay

@Suite(.blocking, .timeLimit(.minutes(2))) struct `Readers of the relay` {
    private static let keys = [Secret("first-key-0123456"), Secret("second-key-012345")]

    @Test func `log in with one of the keys`() async throws {
        try await RelayRig.run(configured { $0.keys = Self.keys }) { rig in
            let wrong = try await TestClient.connect(port: rig.port)
            let began = ContinuousClock.now
            try await wrong.send(#"{"action":"auth","params":"first-key-0123457"}"#)
            // One guess a connection, and not at once.
            try await wrong.send(#"{"action":"auth","params":"first-key-0123456"}"#)
            let received = try await wrong.wait { $0.isClosed }
            #expect(received.messages("auth_failed").count == 1 && received.closeCode == 1008)
            #expect(received.messages("auth_success").isEmpty && ContinuousClock.now - began > .milliseconds(900))
            _ = try await rig.client(key: "second-key-012345")
            #expect(rig.service.state.loginsRefused == 1)
        }
    }

    @Test func `are closed when their key is no longer let in; others stay, and a new key is let in`() async throws {
        try await RelayRig.run(configured { $0.keys = Self.keys }) { rig in
            let gone = try await rig.client(key: "first-key-0123456")
            try await gone.subscribe("T.*")
            let stays = try await rig.client(key: "second-key-012345")
            try await stays.subscribe("T.*")
            rig.service.change(keys: [Self.keys[1], Secret("third-key-0123456")])
            let received = try await gone.wait { $0.isClosed }
            #expect(received.messages("auth_failed").count == 1 && received.closeCode == 1008)
            let wrong = try await TestClient.connect(port: rig.port)
            try await wrong.send(#"{"action":"auth","params":"first-key-0123456"}"#)
            #expect(try await wrong.wait { $0.isClosed }.messages("auth_failed").count == 1)
            let new = try await rig.client(key: "third-key-0123456")
            try await new.subscribe("T.*")
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<20)
            for client in [stays, new] {
                #expect(try await client.wait { $0.eventCount >= 20 }.objects == texts(plan, 0..<20))
            }
        }
    }

    @Test func `need a key as long as the relay runs, or none`() async throws {
        try await RelayRig.run(configured { $0.keys = Self.keys }) { rig in
            rig.service.change(keys: [])
            let wrong = try await TestClient.connect(port: rig.port)
            try await wrong.send(#"{"action":"auth","params":"another-key-altogether"}"#)
            #expect(try await wrong.wait { $0.isClosed }.messages("auth_failed").count == 1)
            _ = try await rig.client(key: "first-key-0123456")
        }
        try await RelayRig.run { rig in
            let client = try await rig.client()
            rig.service.change(keys: Self.keys)
            _ = try await rig.client(key: "another-key-altogether")
            #expect(!client.snapshot.isClosed)
        }
    }

    @Test func `that never log in are closed`() async throws {
        try await RelayRig.run(configured { $0.server.loginTimeout = .milliseconds(100) }) { rig in
            let client = try await TestClient.connect(port: rig.port)
            let received = try await client.wait { $0.isClosed }
            #expect(received.messages("auth_timeout").count == 1)
        }
    }

    @Test func `that are one too many are turned away, and take the place of one that goes`() async throws {
        try await RelayRig.run(configured { $0.maximumClients = 2 }) { rig in
            let first = try await rig.client()
            _ = try await rig.client()
            let third = try await TestClient.connect(port: rig.port)
            try await third.send(#"{"action":"auth","params":"any key of some length"}"#)
            let received = try await third.wait { $0.isClosed }
            #expect(received.messages("max_connections").count == 1 && received.messages("auth_success").isEmpty)
            #expect(rig.service.state.turnedAway == 1)
            try await first.close()
            try await Waiting.until(within: .seconds(60)) { rig.service.state.readers.count == 1 }
            _ = try await rig.client()
        }
    }

    @Test func `get in however many strangers hold sockets open, and stay`() async throws {
        let limits = configured {
            $0.keys = Self.keys
            $0.maximumClients = 2
            $0.server.loginTimeout = .seconds(100)
        }
        try await RelayRig.run(limits) { rig in
            let early = try await rig.client(key: "first-key-0123456")
            try await early.subscribe("T.*")
            // Four times as many as there is room for: half of them go as far as they can without a key. The others are
            // closed after ten seconds, so if the machine stands still meanwhile, fewer are crowded out.
            let strangers = try (0..<limits.serverInEffect.maximumSockets! * 4).map { number in
                let wire = try RawSocket(port: rig.port)
                if number.isMultiple(of: 2) { try wire.shakeHands(port: rig.port) }
                return wire
            }
            let late = try await rig.client(key: "second-key-012345")
            try await late.subscribe("T.*")
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<20)
            for client in [early, late] {
                #expect(try await client.wait { $0.eventCount >= 20 }.objects == texts(plan, 0..<20))
            }
            #expect(rig.service.state.crowdedOut >= strangers.count / 4 && rig.service.state.turnedAway == 0)
            withExtendedLifetime(strangers) {}
        }
    }

    @Test func `that read nothing are closed as slow; the others miss nothing`() async throws {
        try await RelayRig.run(configured { $0.clientBufferBytes = 256 << 10 }) { rig in
            let slow = try await rig.client(subscribingTo: "T.*")
            try await slow.setReads(false)
            let good = try await rig.client(subscribingTo: "T.*")
            let plan = plan(["AAPL", "MSFT"], kinds: [.trade])
            var next: UInt64 = 0
            // The kernel holds some megabytes for the one that doesn't read.
            while rig.service.state.slowReaders == 0 {
                try #require(next < 400_000)
                try rig.take(plan, next..<next + 200)
                next += 200
                let count = Int(next)
                try await good.wait { $0.eventCount >= count }
            }
            try rig.take(plan, next..<next + 200)
            let count = Int(next) + 200
            let received = try await good.wait { $0.eventCount >= count }
            #expect(lanes(received.objects) == lanes(texts(plan, 0..<UInt64(count))))
            try await slow.setReads(true)
            try await slow.wait { !$0.messages("slow_consumer").isEmpty || $0.isClosed }
            try await Waiting.until(within: .seconds(60)) { rig.service.state.readers.count == 1 }
        }
    }

    @Test func `for all of whom too much waits are closed, the slowest first`() async throws {
        let limits = configured {
            $0.clientBufferBytes = 4 << 20
            $0.allClientsBufferBytes = 6 << 20
        }
        try await RelayRig.run(limits) { rig in
            var slow: [TestClient] = []
            for _ in 0..<4 {
                let client = try await rig.client(subscribingTo: "T.*")
                try await client.setReads(false)
                slow.append(client)
            }
            let good = try await rig.client(subscribingTo: "T.AAPL")
            let plan = plan(["AAPL", "MSFT"], kinds: [.trade])
            var next: UInt64 = 0
            while rig.service.state.slowReaders < 3 {
                try #require(next < 1_000_000)
                try rig.take(plan, next..<next + 200)
                next += 200
                let count = Int(next) / 2
                try await good.wait { $0.eventCount >= count }
                let waiting = rig.service.state.readers.reduce(0) { $0 + $1.waitingBytes }
                #expect(waiting <= limits.allClientsBufferBytes + 256 << 10)
            }
        }
    }

    @Test func `of whom one is silent, one slow, one floods and one never logs in leave the others alone`() async throws
    {
        let limits = configured {
            $0.clientBufferBytes = 256 << 10
            // Long enough for the others to log in.
            $0.server.loginTimeout = .seconds(8)
        }
        try await RelayRig.run(limits) { rig in
            let symbols = (0..<16).map { "S\(UnicodeScalar(UInt8(65 + $0)))" }
            var others: [TestClient] = []
            for symbol in symbols {
                let client = try await rig.client(subscribingTo: "T.\(symbol)")
                others.append(client)
            }
            let silent = try await rig.client(subscribingTo: "T.*")
            try await silent.setReads(false)
            // A byte a second.
            let slow = Task {
                let socket = try RawSocket(port: rig.port)
                try socket.shakeHands(port: rig.port)
                socket.frame(1, #"{"action":"auth","params":"any key of some length"}"#)
                socket.frame(1, #"{"action":"subscribe","params":"T.*"}"#)
                while true {
                    socket.dropByte()
                    try await Task.sleep(for: .seconds(1))
                }
            }
            defer { slow.cancel() }
            let readers = symbols.count + 2
            try await Waiting.until("all readers", within: .seconds(60)) {
                rig.service.state.readers.count { $0.channels == 1 } == readers
            }
            let stranger = try await TestClient.connect(port: rig.port)
            let flood = try await rig.client()
            let channels = (0..<2000).map { "Q.X\($0)" }.joined(separator: ",")
            let flooding = Task {
                while !flood.snapshot.isClosed, !Task.isCancelled {
                    try await flood.send(#"{"action":"subscribe","params":"\#(channels)"}"#)
                }
            }
            defer { flooding.cancel() }

            let plan = plan(symbols, kinds: [.trade])
            var next: UInt64 = 0
            // More than one batch takes, which comes on top of what may wait.
            let batch = 256 << 10
            while rig.service.state.slowReaders < 2 {
                try #require(next < 1_000_000)
                try rig.take(plan, next..<next + 320)
                next += 320
                let count = Int(next) / symbols.count
                for client in others { try await client.wait { $0.eventCount >= count } }
                let state = rig.service.state
                #expect(state.readers.allSatisfy { $0.waitingBytes <= limits.clientBufferBytes + batch })
                #expect(state.queuedBytes <= batch)
            }
            try await stranger.wait { !$0.messages("auth_timeout").isEmpty }
            try rig.take(plan, next..<next + 320)
            let sent = lanes(texts(plan, 0..<next + 320))
            for client in others {
                let received = try await client.wait { $0.eventCount >= (Int(next) + 320) / symbols.count }
                let came = lanes(received.objects)
                #expect(came.count == 1 && came.allSatisfy { sent[$0.key] == $0.value })
            }
            #expect(rig.service.state.overflowed == 0)
            // The one that floods is still there.
            try await Waiting.until(within: .seconds(60)) { rig.service.state.readers.count == symbols.count + 1 }
        }
    }

    @Test func `that give no sign of life are closed`() async throws {
        try await RelayRig.run(configured { $0.server.pingInterval = .seconds(1) }) { rig in
            // A client that was closed without a ping may have met a pause of the machine; not all do.
            var wasPinged = false
            for _ in 0..<5 where !wasPinged {
                // It answers no pings.
                let client = try await rig.client()
                let received = try await client.wait { $0.isClosed || $0.error != nil }
                wasPinged = received.frames.contains { $0.opcode == .ping }
            }
            #expect(wasPinged)
        }
    }

    /// A burst is more than one read brings.
    private static let slowly = FeedServerConfiguration.Allowance(burstBytes: 400_000, bytesPerSecond: 200_000)

    @Test func `that flood with requests are read slowly, and go on`() async throws {
        try await RelayRig.run(configured { $0.server.requestAllowance = Self.slowly }) { rig in
            let client = try await rig.client()
            let request = String(repeating: "no request", count: 2000)
            let began = ContinuousClock.now
            let flooding = Task {
                while !Task.isCancelled { try await client.send(request) }
            }
            defer { flooding.cancel() }
            try await client.wait { $0.statuses.count >= 100 }
            // Of 2 MB a burst is free, one read comes too early, and the rest takes its time.
            #expect(ContinuousClock.now - began > .seconds(5))
            let other = try await rig.client(subscribingTo: "T.*")
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<10)
            try await other.wait { $0.eventCount == 10 }
            #expect(!client.snapshot.isClosed && client.snapshot.closeCode == nil)
        }
    }

    @Test func `that send more than that in one read are closed`() async throws {
        try await RelayRig.run(configured { $0.server.requestAllowance = Self.slowly }) { rig in
            let wire = try RawSocket(port: rig.port)
            try wire.shakeHands(port: rig.port)
            // Pongs that nobody asked for.
            for _ in 0..<10 { wire.write((0..<20_000).flatMap { _ in [0x8A, 0x80, 0, 0, 0, 0] as [UInt8] }) }
            var last = try wire.frame()
            while last.opcode != 8 { last = try wire.frame() }
            #expect(last.payload.starts(with: [0x03, 0xF0]), "1008")
            try await Waiting.until("its end", within: .seconds(60)) { rig.service.state.readers.isEmpty }
        }
    }

    @Test(
        arguments: [
            ([0x81, 2, 0x5B, 0x5D], "the frame is not masked"),
            ([0xC1, 0x80, 0, 0, 0, 0], "the frame uses an extension, such as compression, that was not negotiated"),
            ([0x83, 0x80, 0, 0, 0, 0], "unknown opcode"), ([0x80, 0x80, 0, 0, 0, 0], "invalid fragments"),
            ([0x89, 0xFE, 0, 126, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 126), "invalid frame"),
            ([0x09, 0x80, 0, 0, 0, 0], "invalid frame"),
        ] as [([UInt8], String)])
    func `that break the rules of WebSocket are closed, and told which`(frame: [UInt8], rule: String) async throws {
        try await RelayRig.run { rig in
            let wire = try RawSocket(port: rig.port)
            try wire.shakeHands(port: rig.port)
            _ = try wire.message()
            wire.write(frame)
            let (opcode, payload) = try wire.frame()
            #expect(opcode == 8 && payload == [0x03, 0xEA] + Array(rule.utf8), "1002")
        }
    }

    /// What the server says to an upgrade with these headers.
    private func upgrade(_ headers: String, _ port: Int) throws -> String? {
        let wire = try RawSocket(port: port)
        wire.write(
            "GET /stocks HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(headers)\r\n\r\n")
        return try wire.head().first
    }

    @Test(arguments: [
        ("Host: rebound.evil.example", "HTTP/1.1 421 Misdirected Request"),
        ("Host: 127.0.0.1\r\nHost: other", "HTTP/1.1 400 Bad Request"), ("X-Host: none", "HTTP/1.1 400 Bad Request"),
        ("Host: localhost\r\nOrigin: https://evil.example", "HTTP/1.1 403 Forbidden"),
        ("Host: localhost\r\nOrigin: null", "HTTP/1.1 403 Forbidden"),
        ("Host: localhost\r\nSec-Fetch-Site: cross-site", "HTTP/1.1 403 Forbidden"),
        ("Host: localhost:9999", "HTTP/1.1 101 Switching Protocols"),
    ])
    func `are programs of this machine and no web pages, unless there are keys`(headers: String, line: String)
        async throws
    {
        try await RelayRig.run { rig in
            #expect(try upgrade(headers, rig.port) == line)
            let wire = try RawSocket(port: rig.port)
            wire.write("GET /v2/aggs/ticker/AAPL/range/1/minute/0/1 HTTP/1.1\r\n\(headers)\r\n\r\n")
            #expect(try wire.head().first == (line.contains("101") ? "HTTP/1.1 200 OK" : line))
        }
        try await RelayRig.run(configured { $0.keys = Self.keys }) { rig in
            let answer = try upgrade(headers, rig.port)
            #expect(answer == "HTTP/1.1 101 Switching Protocols")
        }
    }

    @Test func `whose upgrade lacks something are told what is expected`() async throws {
        try await RelayRig.run { rig in
            let wire = try RawSocket(port: rig.port)
            wire.write("GET /stocks HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            let head = try wire.head()
            #expect(head.first == "HTTP/1.1 426 Upgrade Required" && head.contains("Sec-WebSocket-Version: 13"))
        }
    }

    @Test func `have so many channels and no more, also of one request`() async throws {
        try await RelayRig.run(configured { $0.maximumChannels = 5 }) { rig in
            let client = try await rig.client(subscribingTo: "T.A,T.B,T.C")
            try await client.send(#"{"action":"subscribe","params":"T.D,T.E,T.F,T.G"}"#)
            let received = try await client.wait { $0.statuses.contains("T.G: a client may have at most 5 channels") }
            #expect(received.statuses.contains("subscribed to: T.E"))
            #expect(received.statuses.contains("T.F: a client may have at most 5 channels"))
            try await Waiting.until(within: .seconds(60)) { rig.service.state.readers.first?.channels == 5 }
            // One that is given up makes room.
            try await client.send(#"{"action":"unsubscribe","params":"T.A"}"#)
            try await client.subscribe("T.F")
        }
    }

    @Test func `are told why a channel is not collected, and get the others`() async throws {
        let known = Set([Symbol("AAPL")].compactMap { $0 })
        try await RelayRig.run(configured { $0.kinds = [.minuteBar, .trade] }, collected: known) { rig in
            let client = try await rig.client(subscribingTo: "Q.AAPL,T.NONE,XX.AAPL,T.AAPL")
            let statuses = client.snapshot.statuses
            #expect(statuses.contains("Q.AAPL is not collected: FEED_EVENTS does not include Q"))
            #expect(statuses.contains("T.NONE is not collected: nobody asked for NONE"))
            #expect(statuses.contains("unknown channel 'XX.AAPL'"))
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<3)
            try await client.wait { $0.objects == texts(plan, 0..<3) }
        }
    }

    @Test func `hear of the end`() async throws {
        let client = try await withRelay { rig in
            let client = try await rig.client(subscribingTo: "T.*")
            return client
        }
        let received = try await client.wait { $0.isClosed }
        #expect(received.closeCode == 1012)
    }

    private func withRelay(_ body: @escaping @Sendable (RelayRig) async throws -> TestClient) async throws -> TestClient
    {
        let (clients, found) = AsyncStream.makeStream(of: TestClient.self)
        try await RelayRig.run { rig in found.yield(try await body(rig)) }
        for await client in clients { return client }
        throw CancellationError()
    }

    @Test func `are shown with what they read and how far they are behind`() async throws {
        try await RelayRig.run { rig in
            let client = try await rig.client(subscribingTo: "T.AAPL,T.MSFT,Q.*")
            let plan = plan(["AAPL"], kinds: [.trade])
            try rig.take(plan, 0..<30)
            try await client.wait { $0.eventCount == 30 }
            try await Waiting.until(within: .seconds(60)) { rig.service.state.readers.first?.events == 30 }
            let reader = try #require(rig.service.state.readers.first)
            #expect(reader.isLoggedIn && reader.channels == 3 && reader.sample == ["Q.*", "T.AAPL", "T.MSFT"])
            #expect(reader.address.hasPrefix("127.0.0.1:"))
            #expect(rig.service.state.events == 30 && rig.service.state.connections == 1)
        }
    }

    @Test func `are closed when the relay itself falls behind, and the buffer has everything`() async throws {
        try await RelayRig.run(configured { $0.queueBytes = 1 }) { rig in
            let client = try await rig.client(subscribingTo: "T.*")
            let plan = plan(["AAPL"], kinds: [.trade])
            let batch = rig.batch(frames(plan, 0..<10))
            var next: UInt64 = 0
            while rig.service.state.overflowed == 0 {
                try #require(next < 1_000_000)
                for _ in 0..<200 {
                    #expect(rig.tap.offer(batch) != .refused)
                    next += 10
                }
                await Task.yield()
            }
            let received = try await client.wait { $0.isClosed }
            #expect(received.messages("slow_consumer").count == 1)
            try await rig.buffer.flush()
            #expect(rig.buffer.statistics[.trades].marks.last == Int64(next))
        }
    }
}
