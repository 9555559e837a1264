import Feed
import MarketData
import NIOHTTP1
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct ReconnectTests {
    private let aapl = Symbol("AAPL")!

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
            try await Waiting.until("the second connection's trade") { rig.sink.prices == [0, 1] }
            try await Waiting.until("a gap") { rig.sink.gaps.count == 1 }
            #expect(connection.snapshot.reconnects == 1)
            try await Waiting.until("the answer") { answered.withLock { $0 } != nil }
        }
        #expect(asked.withLock { $0 } == [["T.AAPL", "T.MSFT"], ["T.AAPL", "T.MSFT"]])
        #expect(answered.withLock { $0 } == .close(code ?? 1000))
        let gap = try #require(rig.sink.gaps.first)
        #expect(gap.symbols == [aapl, Symbol("MSFT")!] && gap.events == [.trade] && gap.cause == .disconnected)
        #expect(gap.from <= gap.to ?? 0 && gap.connection == "primary")
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
            try await Waiting.until("the first trade") { rig.sink.prices == [0] }
            try await feed.all[0].reset()
            try await Waiting.until("the second trade") { rig.sink.prices == [0, 1] }
            try await Waiting.until("a gap") { rig.sink.gaps.count == 1 }
        }
        #expect(!rig.log.lines(with: "connection reset by peer").isEmpty)
        await feed.stop()
    }

    @Test func `a server that is away is tried again until it is there`() async throws {
        let port = try #require(LoopbackListener.freePort())
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: port)) { connection in
            try await Waiting.until("refusals") { connection.snapshot.errors >= 3 }
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
            try await Waiting.until("the failure") { connection.snapshot.lastError != nil }
            #expect(connection.snapshot.lastError?.reason == .hostNotFound)
        }
    }

    @Test(arguments: [(401, "error"), (403, "error"), (404, "any"), (429, "any"), (503, "any"), (302, "any")])
    func `a refused handshake is said with its status`(status: Int, state: String) async throws {
        let feed = try await ScriptedFeed.start(
            refusing: (HTTPResponseStatus(statusCode: status), [("Retry-After", "0")]))
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port)) { connection in
            try await Waiting.until("two tries") { connection.snapshot.errors >= 2 }
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
            try await Waiting.until("two timeouts") { connection.snapshot.errors >= 2 }
            #expect(connection.snapshot.lastError?.reason == .connectTimeout)
        }
        await silent.stop()
    }
}
