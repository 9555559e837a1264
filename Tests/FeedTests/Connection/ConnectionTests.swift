import Feed
import MarketData
import NIOCore
import NIOHTTP1
import NIOWebSocket
import Synchronization
import Testing

/// Real sockets against a scripted server.
@Suite(.timeLimit(.minutes(1))) struct ConnectionTests {
    private let aapl = Symbol("AAPL")!

    @Test func `logs in with the key, subscribes, and hands over what comes`() async throws {
        let login = Mutex("")
        let asked = Mutex<[String]>([])
        let feed = try await ScriptedFeed.start { peer in
            let text = try await peer.login()
            login.withLock { $0 = text }
            let channels = try await peer.channels()
            asked.withLock { $0 = channels }
            peer.confirm(channels)
            for number in 1...3 { peer.trade(number) }
            await peer.untilClosed()
        }
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port)) { connection in
            try await eventually("three trades") { rig.sink.prices == [1, 2, 3] }
            try await eventually("connected") { connection.snapshot.status == .connected }
            let snapshot = connection.snapshot
            #expect(snapshot.assigned == [aapl] && snapshot.confirmed == [aapl] && snapshot.refused.isEmpty)
            #expect(snapshot.channels == 1 && snapshot.confirmedChannels == 1)
            try await eventually("counts") { connection.snapshot.frames == 6 }
            #expect(connection.snapshot.events == [.trade: 3])
            #expect(connection.snapshot.lastMessage != nil && connection.snapshot.connectedSince != nil)
            #expect((connection.snapshot.latency ?? 0) > 0)
        }
        #expect(login.withLock { $0 } == #"{"action":"auth","params":"\#(canary)"}"#)
        #expect(asked.withLock { $0 } == ["T.AAPL"])
        #expect(feed.all.first?.target == "/stocks")
        #expect(
            rig.sink.batches.allSatisfy {
                $0.connection == "primary" && $0.receivedMicroseconds > 1_600_000_000_000_000
            })
        #expect(rig.sink.gaps.isEmpty)
        await feed.stop()
    }

    @Test func `reaches a server over IPv6`() async throws {
        let feed = try await ScriptedFeed.start(host: "::1") { peer in
            try await peer.stand()
            await peer.untilClosed()
        }
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port, host: "[::1]")) { connection in
            try await eventually("connected") { connection.snapshot.status == .connected }
        }
        await feed.stop()
    }

    @Test func `a message in fragments is one, and a ping between them is answered`() async throws {
        let pong = Mutex<ScriptedPeer.Message?>(nil)
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            let text = ScriptedPeer.trade(7)
            peer.frame(.text, final: false, text: String(text.prefix(20)))
            peer.frame(.ping, text: "hello")
            peer.frame(.continuation, final: false, text: String(text.dropFirst(20).prefix(5)))
            peer.frame(.continuation, text: String(text.dropFirst(25)))
            peer.frame(.binary, text: "skipped")
            peer.trade(8)
            let answer = try await peer.next()
            pong.withLock { $0 = answer }
            await peer.untilClosed()
        }
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port)) { connection in
            try await eventually("both") { rig.sink.prices == [7, 8] }
            try await eventually("the binary frame") { connection.snapshot.binaryFrames == 1 }
            try await eventually("the pong") { pong.withLock { $0 } == .pong(Array("hello".utf8)) }
            #expect(connection.snapshot.errors == 0)
        }
        await feed.stop()
    }

    @Test func `many events in one burst come in few batches, in order`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            for number in 0..<5000 { peer.trade(number) }
            await peer.untilClosed()
        }
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port)) { _ in
            try await eventually("all") { rig.sink.batches.reduce(0) { $0 + $1.count } == 5000 }
        }
        #expect(rig.sink.prices == (0..<5000).map(Double.init))
        #expect(rig.sink.batches.count < 5000)
        await feed.stop()
    }

    @Test(arguments: [1000, 1001, 1008, 1011, 4001, nil] as [UInt16?])
    func `after any close code it connects again and subscribes to everything again`(code: UInt16?) async throws {
        let answered = Mutex<ScriptedPeer.Message?>(nil)
        let asked = Mutex<[[String]]>([])
        let feed = try await ScriptedFeed.start { peer in
            let channels = try await peer.stand()
            asked.withLock { $0.append(channels) }
            peer.trade(peer.index)
            if peer.index == 0 {
                peer.close(code)
                let answer = try await peer.next()
                answered.withLock { $0 = answer }
            } else {
                await peer.untilClosed()
            }
        }
        let rig = Rig()
        let interest = Interest.symbols([aapl, Symbol("MSFT")!])
        try await rig.run(try Rig.configuration(port: feed.port), interest: interest) { connection in
            try await eventually("the second connection's trade") { rig.sink.prices == [0, 1] }
            try await eventually("a gap") { rig.sink.gaps.count == 1 }
            #expect(connection.snapshot.reconnects == 1)
        }
        #expect(asked.withLock { $0 } == [["T.AAPL", "T.MSFT"], ["T.AAPL", "T.MSFT"]])
        #expect(answered.withLock { $0 } == .close(code ?? 1000))
        let gap = try #require(rig.sink.gaps.first)
        #expect(gap.symbols == [aapl, Symbol("MSFT")!] && gap.events == [.trade] && gap.cause == .disconnected)
        #expect(gap.from <= gap.to && gap.connection == "primary")
        await feed.stop()
    }

    @Test func `a reset connection is opened again`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            peer.trade(peer.index)
            await peer.untilClosed()
        }
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port)) { _ in
            try await eventually("the first trade") { rig.sink.prices == [0] }
            try await feed.all[0].reset()
            try await eventually("the second trade") { rig.sink.prices == [0, 1] }
            try await eventually("a gap") { rig.sink.gaps.count == 1 }
        }
        #expect(!rig.log.lines(with: "connection reset by peer").isEmpty)
        await feed.stop()
    }

    @Test func `a server that is away is tried again until it is there`() async throws {
        let placeholder = try await ScriptedFeed.start()
        let port = placeholder.port
        await placeholder.stop()
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: port)) { connection in
            try await eventually("refusals") { connection.snapshot.errors >= 3 }
            #expect(connection.snapshot.lastError?.reason == .unreachable)
            #expect(connection.snapshot.status != .connected)
        }
        #expect(rig.log.lines(with: "connection refused").count == 1)
        #expect(rig.sink.gaps.map(\.symbols) == [[aapl]])
    }

    @Test func `a host that no one knows is said so`() async throws {
        let rig = Rig()
        var configuration = try Rig.configuration(port: 1)
        configuration.endpoint = try FeedEndpoint(url: "wss://feed.invalid/", allowsPlaintext: false)
        try await rig.run(configuration) { connection in
            try await eventually("the failure") { connection.snapshot.lastError != nil }
            #expect(connection.snapshot.lastError?.reason == .hostNotFound)
        }
    }

    @Test(arguments: [(401, "error"), (403, "error"), (404, "any"), (429, "any"), (503, "any"), (302, "any")])
    func `a refused handshake is said with its status`(status: Int, state: String) async throws {
        let feed = try await ScriptedFeed.start(
            refusing: (HTTPResponseStatus(statusCode: status), [("Retry-After", "0")]))
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port)) { connection in
            try await eventually("two tries") { connection.snapshot.errors >= 2 }
            #expect(connection.snapshot.lastError?.reason == .handshakeRefused)
            #expect(connection.snapshot.lastError?.message.contains("HTTP \(status)") == true)
            if state == "error" { #expect(connection.snapshot.status == .error) }
        }
        await feed.stop()
    }

    @Test func `a server that never answers the handshake is given up in time`() async throws {
        let silent = try await SilentServer.start()
        let rig = Rig()
        var configuration = try Rig.configuration(port: silent.port)
        configuration.connectTimeout = .milliseconds(100)
        try await rig.run(configuration) { connection in
            try await eventually("two timeouts") { connection.snapshot.errors >= 2 }
            #expect(connection.snapshot.lastError?.reason == .connectTimeout)
        }
        await silent.stop()
    }

    @Test(arguments: [
        ("auth_failed", FeedError.Reason.keyRefused), ("auth_timeout", .loginTimeout),
        ("max_connections", .connectionLimit), ("slow_consumer", .slowConsumer),
    ])
    func `each answer to the login is told and tried again`(answer: String, reason: FeedError.Reason) async throws {
        let feed = try await ScriptedFeed.start { peer in
            if peer.index < 2 {
                try await peer.login(answer: answer)
                peer.close(1000)
            } else {
                try await peer.stand()
            }
            await peer.untilClosed()
        }
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port)) { connection in
            try await eventually("connected") { connection.snapshot.status == .connected }
            #expect(connection.snapshot.lastError?.reason == reason)
            #expect(connection.snapshot.errors == 2)
        }
        #expect(rig.log.lines(with: "reason=\(reason.rawValue)").count == 1)
        await feed.stop()
    }

    @Test func `a login that is not answered is given up in time`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.login(answer: nil)
            await peer.untilClosed()
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port)
        configuration.loginTimeout = .milliseconds(50)
        configuration.closeTimeout = .milliseconds(20)
        try await rig.run(configuration) { connection in
            try await eventually("the failure") { connection.snapshot.lastError?.reason == .loginTimeout }
        }
        await feed.stop()
    }

    @Test func `max_connections after a while gives way and comes back`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            peer.trade(peer.index)
            if peer.index == 0 {
                peer.status("max_connections", "Maximum number of websocket connections exceeded.")
                peer.close(1000)
            }
            await peer.untilClosed()
        }
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port)) { connection in
            try await eventually("back") { rig.sink.prices == [0, 1] }
            #expect(connection.snapshot.lastError?.reason == .connectionLimit)
        }
        await feed.stop()
    }

    @Test(arguments: [
        ("RSV1", 1002), ("masked", 1002), ("opcode", 1002), ("control", 1002), ("oversize", 1009), ("fragments", 1009),
        ("utf8", 1007),
    ])
    func `frames that break the protocol end the connection with its code`(fault: String, code: Int) async throws {
        let answer = Mutex<ScriptedPeer.Message?>(nil)
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            guard peer.index == 0 else {
                peer.trade(1)
                return await peer.untilClosed()
            }
            peer.trade(0)
            switch fault {
            case "RSV1": peer.frame(.text, rsv1: true, text: "compressed?")
            case "masked": peer.frame(.text, masked: true, text: "[]")
            case "opcode": peer.frame(.init(encodedWebSocketOpcode: 3)!, text: "[]")
            case "control": peer.frame(.ping, final: false, text: "x")
            case "oversize": peer.frame(.text, text: String(repeating: " ", count: 5000))
            case "fragments":
                peer.frame(.text, final: false, text: String(repeating: " ", count: 3000))
                peer.frame(.continuation, text: String(repeating: " ", count: 3000))
            default: peer.frame(.text, bytes: Array("[\"".utf8) + [0xC3, 0x28] + Array("\"]".utf8))
            }
            peer.trade(99)
            let message = try await peer.next()
            answer.withLock { $0 = message }
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port)
        configuration.maximumFrameBytes = 4096
        try await rig.run(configuration) { connection in
            try await eventually("back") { rig.sink.prices == [0, 1] }
            #expect(connection.snapshot.lastError?.reason == .protocolViolation)
        }
        #expect(answer.withLock { $0 } == .close(UInt16(code)))
        await feed.stop()
    }

    @Test func `a peer that answers no ping is left, and the gap says stalled`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            peer.trade(peer.index)
            await peer.untilClosed()
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port)
        configuration.pingInterval = .milliseconds(50)
        configuration.stallTimeout = .milliseconds(400)
        try await rig.run(configuration) { _ in
            try await eventually("another connection") { rig.sink.prices.count >= 2 }
            try await eventually("a gap") { !rig.sink.gaps.isEmpty }
        }
        #expect(rig.sink.gaps.first?.cause == .stalled)
        #expect(!rig.log.lines(with: "not even an answer to a ping").isEmpty)
        await feed.stop()
    }

    @Test func `a quiet peer that answers pings is kept`() async throws {
        let pings = Mutex(0)
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            while true {
                if case .ping = try await peer.next() {
                    pings.withLock { $0 += 1 }
                    peer.frame(.pong, text: "")
                }
            }
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port)
        configuration.pingInterval = .milliseconds(10)
        configuration.stallTimeout = .seconds(1)
        try await rig.run(configuration) { connection in
            try await eventually("pings for longer than the timeout") { pings.withLock { $0 } > 120 }
            #expect(connection.snapshot.errors == 0 && connection.snapshot.status == .connected)
        }
        await feed.stop()
    }

    @Test func `no pongs while data flows are no fault`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            for number in 0..<60 {
                peer.trade(number)
                try await Task.sleep(for: .milliseconds(20))
            }
            await peer.untilClosed()
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port)
        configuration.pingInterval = .milliseconds(5)
        configuration.stallTimeout = .seconds(1)
        try await rig.run(configuration) { connection in
            try await eventually("all") { rig.sink.prices.count == 60 }
            #expect(connection.snapshot.errors == 0)
        }
        await feed.stop()
    }

    @Test func `live changes of symbols send just the difference`() async throws {
        let seen = Mutex<[String]>([])
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            while true {
                let text = try await peer.text()
                seen.withLock { $0.append(text) }
                if text.contains("\"subscribe\"") { peer.confirm(["T.MSFT"]) }
            }
        }
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port)) { connection in
            try await eventually("connected") { connection.snapshot.status == .connected }
            connection.setInterest(.symbols([Symbol("MSFT")!]))
            #expect(connection.snapshot.assigned == [Symbol("MSFT")!])
            try await eventually("confirmed") { connection.snapshot.confirmed == [Symbol("MSFT")!] }
        }
        #expect(
            seen.withLock { $0 } == [
                #"{"action":"subscribe","params":"T.MSFT"}"#, #"{"action":"unsubscribe","params":"T.AAPL"}"#,
            ])
        await feed.stop()
    }

    @Test func `an interest set before the start replaces the first one`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            await peer.untilClosed()
        }
        let rig = Rig()
        let connection = FeedConnection(
            configuration: try Rig.configuration(port: feed.port), interest: .symbols([aapl]), sink: rig.sink,
            logger: rig.log.logger)
        connection.setInterest(.all)
        let running = Task { try await connection.run() }
        try await eventually("connected") { connection.snapshot.status == .connected }
        #expect(connection.snapshot.takesAll && connection.snapshot.assigned.isEmpty)
        #expect(connection.snapshot.confirmedChannels == 1)
        running.cancel()
        try await running.value
        await #expect(throws: FeedError.self) { try await connection.run() }
        await feed.stop()
    }

    @Test func `a full account of refused and confirmed symbols`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.login()
            let channels = try await peer.channels()
            for channel in channels {
                if channel == "T.X1" { peer.status("error", "not authorized") } else { peer.confirm([channel]) }
            }
            await peer.untilClosed()
        }
        let rig = Rig()
        let symbols = (0..<4).compactMap { Symbol("X\($0)") }
        try await rig.run(try Rig.configuration(port: feed.port), interest: .symbols(symbols)) { connection in
            try await eventually("connected") { connection.snapshot.status == .connected }
            let snapshot = connection.snapshot
            #expect(snapshot.refused == [symbols[1]] && snapshot.refusedChannels == ["T.X1"])
            #expect(snapshot.confirmed == [symbols[0], symbols[2], symbols[3]] && snapshot.confirmedChannels == 3)
        }
        #expect(rig.log.lines(with: "does not cover 1 of 4 channels: T.X1").count == 1)
        await feed.stop()
    }
}
