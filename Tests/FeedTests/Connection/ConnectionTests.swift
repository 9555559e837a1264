import MarketData
import NIOWebSocket
import Synchronization
import TestSupport
import Testing

@testable import Feed

/// Real sockets against a scripted server.
@Suite(.timeLimit(.minutes(3))) struct ConnectionTests {
    private let aapl = Symbol("AAPL")!

    @Test func `a gap that an event shows is recorded before the event is handed over`() async throws {
        let now = WallClock.milliseconds()
        let go = Inbox<Void>()
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            _ = await go.next()
            // The clock is an hour behind the feed, so the downtime is longer than it says.
            peer.send(ScriptedPeer.trade(1).replacing("1381240800000", with: "\(now + 3_600_000)"))
            await peer.untilClosed()
        }
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port)
        configuration.previousLife = PreviousLife(end: now - 30_000, newest: [.trade: now - 30_000])
        try await rig.run(configuration) { _ in
            try await Waiting.until("the downtime's gap") { rig.sink.gaps.contains { $0.cause == .down } }
            go.put(())
            try await Waiting.until("the trade") { rig.sink.prices == [1] }
            try await Waiting.until("the rest of the gap") { rig.sink.gaps.contains(where: \.isUncertain) }
        }
        #expect(rig.sink.gapsBeforeBatches.contains { $0.cause == .down && $0.isUncertain })
        await feed.stop()
    }

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
            try await Waiting.until("three trades") { rig.sink.prices == [1, 2, 3] }
            try await Waiting.until("connected") { connection.snapshot.status == .connected }
            let snapshot = connection.snapshot
            #expect(snapshot.assigned == [aapl] && snapshot.confirmed == [aapl] && snapshot.refused.isEmpty)
            #expect(snapshot.channels == 1 && snapshot.confirmedChannels == 1)
            try await Waiting.until("counts") { connection.snapshot.frames == 6 }
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
            try await Waiting.until("connected") { connection.snapshot.status == .connected }
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
            try await Waiting.until("both") { rig.sink.prices == [7, 8] }
            try await Waiting.until("the binary frame") { connection.snapshot.binaryFrames == 1 }
            try await Waiting.until("the pong") { pong.withLock { $0 } == .pong(Array("hello".utf8)) }
            #expect(connection.snapshot.errors == 0)
            // The feed sends text; a feed that turned to binary must not look like a quiet market.
            #expect(connection.snapshot.rejects[.binaryMessage] == 1)
            #expect(connection.snapshot.rejects.events.sample(of: nil)?.description == "binary_message: skipped")
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
            try await Waiting.until("all") { rig.sink.batches.reduce(0) { $0 + $1.count } == 5000 }
        }
        #expect(rig.sink.prices == (0..<5000).map(Double.init))
        #expect(rig.sink.batches.count < 5000)
        await feed.stop()
    }

    @Test func `thousands of ended subscriptions are recorded once for each read, not for each message`() async throws {
        let symbols = (0..<2000).compactMap { Symbol("X\($0)") }
        let go = Inbox<Void>()
        let feed = try await ScriptedFeed.start { peer in
            try await peer.login()
            var channels: [String] = []
            while channels.count < 2000 { channels += try await peer.channels() }
            peer.confirm(channels)
            _ = await go.next()
            // Frames in one piece, each with a message.
            let frames = channels.flatMap { channel -> [UInt8] in
                let text = #"[{"ev":"status","status":"success","message":"unsubscribed to: \#(channel)"}]"#
                return [0x81, UInt8(text.utf8.count)] + Array(text.utf8)
            }
            try await peer.raw(frames)
            await peer.untilClosed()
        }
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port), interest: .symbols(symbols)) { connection in
            try await Waiting.until("connected") { connection.snapshot.confirmedChannels == 2000 }
            #expect(rig.sink.changes == 0)
            go.put(())
            try await Waiting.until("all are ended") { connection.snapshot.confirmedChannels == 0 }
            #expect(rig.sink.changes > 0 && rig.sink.changes < 500)
        }
        #expect(rig.sink.gaps.flatMap(\.symbols).count == 2000)
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
            try await Waiting.until("connected") { connection.snapshot.status == .connected }
            connection.setInterest(.symbols([Symbol("MSFT")!]))
            #expect(connection.snapshot.assigned == [Symbol("MSFT")!])
            try await Waiting.until("confirmed") { connection.snapshot.confirmed == [Symbol("MSFT")!] }
            try await Waiting.until("both requests") { seen.withLock { $0.count } >= 2 }
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
        try await Waiting.until("connected") { connection.snapshot.status == .connected }
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
            try await Waiting.until("connected") { connection.snapshot.status == .connected }
            let snapshot = connection.snapshot
            #expect(snapshot.refused == [symbols[1]] && snapshot.refusedChannels == ["T.X1"])
            #expect(snapshot.confirmed == [symbols[0], symbols[2], symbols[3]] && snapshot.confirmedChannels == 3)
        }
        #expect(rig.log.lines(with: "does not cover 1 of 4 channels: T.X1").count == 1)
        await feed.stop()
    }
}
