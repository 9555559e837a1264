import Feed
import Logging
import MarketData
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct ShutdownTests {
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
        var configuration = try Rig.configuration(port: feed.port)
        configuration.closeTimeout = .seconds(60)
        let connection = FeedConnection(
            configuration: configuration, interest: .symbols([Symbol("AAPL")!]),
            sink: rig.sink,
            logger: rig.log.logger)
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: connection)], logger: Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
            ))
        let running = Task { try await group.run() }
        try await Waiting.until("the trade") { rig.sink.prices == [1] }
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
            await peer.untilGone()
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port)
        configuration.closeTimeout = .milliseconds(50)
        let clock = ContinuousClock()
        nonisolated(unsafe) var stopped = clock.now
        try await rig.run(configuration) { _ in
            try await Waiting.until("the trade") { rig.sink.prices == [1] }
            stopped = clock.now
        }
        // For ever, if it waited for the peer; the bound lets a loaded machine stand still for a while.
        #expect(clock.now - stopped < .seconds(60))
        await feed.stop()
    }

    @Test func `a connection that waits for its next try stops at once`() async throws {
        let rig = Rig()
        var configuration = try Rig.configuration(port: 1)
        configuration.reconnect.firstDelay = .seconds(600)
        configuration.reconnect.cap = .seconds(600)
        try await rig.run(configuration) { connection in
            try await Waiting.until("a failure") { connection.snapshot.lastError != nil }
        }
        #expect(rig.sink.gaps.count == 1)
    }
}
