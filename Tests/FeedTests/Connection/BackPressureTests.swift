import Feed
import Logging
import MarketData
import NIOWebSocket
import ServiceLifecycle
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct BackPressureTests {
    @Test func `a nearly full sink stops the reading until it has room, and nothing is lost`() async throws {
        let go = Inbox<Void>()
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            peer.trade(0)
            _ = await go.next()
            for number in 1...2000 { peer.trade(number) }
            await peer.untilClosed()
        }
        let rig = Rig()
        rig.sink.answer(.acceptedStopReading)
        var configuration = try Rig.configuration(port: feed.port)
        configuration.pingInterval = .milliseconds(20)
        configuration.stallTimeout = .milliseconds(60)
        try await rig.run(configuration) { connection in
            try await eventually("the pause") { connection.snapshot.isPaused && rig.sink.isAwaited }
            go.put(())
            try await Task.sleep(for: .milliseconds(200))
            #expect(rig.sink.prices == [0], "events came while reading was paused")
            #expect(connection.snapshot.errors == 0, "the pause was taken for a stall")
            rig.sink.makeRoom()
            try await eventually("the rest") { rig.sink.prices.count == 2001 }
            #expect(connection.snapshot.isPaused == false && connection.snapshot.reconnects == 0)
        }
        #expect(rig.sink.prices == (0...2000).map(Double.init))
        await feed.stop()
    }

    @Test func `a full sink drops the connection, and the gap says overflow`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            peer.trade(peer.index)
            await peer.untilClosed()
        }
        let rig = Rig()
        rig.sink.answer(.refused)
        try await rig.run(try Rig.configuration(port: feed.port)) { connection in
            try await eventually("the wait for room") { rig.sink.isAwaited }
            #expect(connection.snapshot.overflowed == 1 && feed.all.count == 1)
            #expect(connection.snapshot.lastError?.reason == .overflow)
            rig.sink.makeRoom()
            try await eventually("the second connection") { rig.sink.prices == [1] }
            try await eventually("the gap") { rig.sink.gaps.count == 1 }
        }
        #expect(rig.sink.gaps.map(\.cause) == [.overflow])
        await feed.stop()
    }

    @Test func `a large message is handed over in parts`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            for _ in 0..<20 {
                let events = (0..<50).map { String(ScriptedPeer.trade($0).dropFirst().dropLast()) }
                peer.send("[" + events.joined(separator: ",") + "]")
            }
            await peer.untilClosed()
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port)
        configuration.handOverBytes = 1000
        try await rig.run(configuration) { _ in
            try await eventually("all") { rig.sink.prices.count == 1000 }
        }
        #expect(rig.sink.batches.count >= 20)
        await feed.stop()
    }
}

@Suite(.timeLimit(.minutes(1))) struct ShutdownTests {
    @Test func `a graceful shutdown says goodbye, takes what still comes, and returns`() async throws {
        let goodbye = Mutex<ScriptedPeer.Message?>(nil)
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            peer.trade(1)
            let message = try await peer.next()
            goodbye.withLock { $0 = message }
            peer.trade(2)
            peer.close(1000)
            await peer.untilClosed()
        }
        let rig = Rig()
        let connection = FeedConnection(
            configuration: try Rig.configuration(port: feed.port), interest: .symbols([Symbol("AAPL")!]),
            sink: rig.sink,
            logger: rig.log.logger)
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: connection)], logger: Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
            ))
        let running = Task { try await group.run() }
        try await eventually("the trade") { rig.sink.prices == [1] }
        await group.triggerGracefulShutdown()
        try await running.value
        #expect(goodbye.withLock { $0 } == .close(1000))
        #expect(rig.sink.prices == [1, 2])
        #expect(connection.snapshot.status == .disconnected)
        await feed.stop()
    }

    @Test func `a peer that does not answer the goodbye holds nothing up`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            peer.trade(1)
            await peer.untilClosed()
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port)
        configuration.closeTimeout = .milliseconds(50)
        let clock = ContinuousClock()
        nonisolated(unsafe) var stopped = clock.now
        try await rig.run(configuration) { _ in
            try await eventually("the trade") { rig.sink.prices == [1] }
            stopped = clock.now
        }
        #expect(clock.now - stopped < .seconds(2))
        await feed.stop()
    }

    @Test func `a connection that waits for its next try stops at once`() async throws {
        let rig = Rig()
        var configuration = try Rig.configuration(port: 1)
        configuration.reconnectDelay = .seconds(600)
        configuration.reconnectCap = .seconds(600)
        try await rig.run(configuration) { connection in
            try await eventually("a failure") { connection.snapshot.lastError != nil }
        }
        #expect(rig.sink.gaps.count == 1)
    }
}

@Suite(.timeLimit(.minutes(1))) struct SecretTests {
    @Test func `the key is seen in the login and nowhere else, whatever the feed echoes`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            switch peer.index {
            case 0:
                try await peer.login(answer: nil)
                peer.status("auth_failed", "key \(canary) is not valid")
            case 1:
                try await peer.stand()
                peer.status("error", "odd \(canary)")
                peer.status("success", "subscribed to something else with \(canary)")
                peer.status("remark \(canary)", canary)
                peer.send(#"[{"ev":"status","status":"error","message":"\#(canary)"#)
                peer.frame(.connectionClose, bytes: [0x03, 0xE8] + Array(canary.utf8))
            default:
                try await peer.stand()
            }
            await peer.untilClosed()
        }
        let rig = Rig()
        let configuration = try Rig.configuration(port: feed.port)
        var shown = "\(configuration) \(String(reflecting: configuration))"
        dump(configuration, to: &shown)
        let snapshots = Mutex<[String]>([])
        try await rig.run(configuration) { connection in
            try await eventually("the third connection") {
                let snapshot = connection.snapshot
                let text = "\(snapshot) \(snapshot.lastError.map(String.init(reflecting:)) ?? "")"
                snapshots.withLock { if $0.last != text { $0.append(text) } }
                return feed.all.count == 3 && snapshot.status == .connected
            }
        }
        let all = rig.log.lines + snapshots.withLock { $0 } + [shown]
        #expect(!rig.log.lines(with: "key \\u{2022}").isEmpty, "the refusal was told")
        #expect(all.filter { $0.contains(canary) } == [])
        await feed.stop()
    }
}
