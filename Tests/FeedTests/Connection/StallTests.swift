import Feed
import MarketData
import NIOCore
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct StallTests {
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
            try await Waiting.until("another connection") { rig.sink.prices.count >= 2 }
            try await Waiting.until("a gap") { !rig.sink.gaps.isEmpty }
        }
        #expect(rig.sink.gaps.first?.cause == .stalled)
        #expect(!rig.log.lines(with: "not even a reply to a ping").isEmpty)
        await feed.stop()
    }

    @Test func `a quiet peer that answers pings is kept`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            peer.answerPings()
            try await peer.stand()
            await peer.untilClosed()
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port)
        configuration.pingInterval = .milliseconds(50)
        // Longer than a loaded machine keeps one event loop waiting while the other runs.
        configuration.stallTimeout = .seconds(5)
        try await rig.run(configuration) { connection in
            try await Waiting.until("pings for longer than the timeout") {
                feed.all.contains { $0.answeredPings > 110 }
            }
            #expect(connection.snapshot.errors == 0 && connection.snapshot.status == .connected)
        }
        await feed.stop()
    }

    @Test func `no pongs while data flows are no fault`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            peer.trades(60, every: .milliseconds(100))
            await peer.untilClosed()
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port)
        configuration.pingInterval = .milliseconds(5)
        configuration.stallTimeout = .seconds(5)
        try await rig.run(configuration) { connection in
            try await Waiting.until("all") { rig.sink.prices.count == 60 }
            #expect(connection.snapshot.errors == 0)
        }
        await feed.stop()
    }
}
