import Feed
import MarketData
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct BackPressureTests {
    @Test func `a nearly full sink stops the reading until it has room, and nothing is lost`() async throws {
        let go = Inbox<Void>()
        let sent = Inbox<Void>()
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            peer.trade(0)
            _ = await go.next()
            for number in 1...2000 { peer.trade(number) }
            try await peer.untilSent()
            sent.put(())
            await peer.untilClosed()
        }
        let rig = Rig()
        rig.sink.answer(.acceptedStopReading)
        try await rig.run(try Rig.configuration(port: feed.port)) { connection in
            try await Waiting.until("the pause") { connection.snapshot.isPaused && rig.sink.isAwaited }
            go.put(())
            _ = await sent.next()
            // Long enough for events to arrive, if reading went on.
            try await Task.sleep(for: .milliseconds(200))
            #expect(rig.sink.prices == [0], "events came while reading was paused")
            rig.sink.makeRoom()
            try await Waiting.until("the rest") { rig.sink.prices.count == 2001 }
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
            try await Waiting.until("the wait for room") { rig.sink.isAwaited }
            #expect(connection.snapshot.overflowed == 1 && feed.all.count == 1)
            try await Waiting.until("the reason") { connection.snapshot.lastError?.reason == .overflow }
            rig.sink.makeRoom()
            try await Waiting.until("the second connection") { rig.sink.prices == [1] }
            try await Waiting.until("the gap") { rig.sink.gaps.count == 1 }
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
            try await Waiting.until("all") { rig.sink.prices.count == 1000 }
        }
        #expect(rig.sink.batches.count >= 20)
        await feed.stop()
    }
}
