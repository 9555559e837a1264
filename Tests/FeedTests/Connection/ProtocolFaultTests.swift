import Feed
import NIOWebSocket
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct ProtocolFaultTests {
    @Test func `a feed that says thousands of unknown things doesn't fill the log`() async throws {
        let feed = try await ScriptedFeed.start { peer in
            try await peer.stand()
            for number in 0..<5000 { peer.status("news \(number)", "item \(number)") }
            peer.trade(0)
            await peer.untilClosed()
        }
        let rig = Rig()
        try await rig.run(try Rig.configuration(port: feed.port)) { _ in
            try await Waiting.until("the trade behind them") { rig.sink.prices == [0] }
        }
        let lines = rig.log.lines(with: "status message from the feed")
        #expect(lines.first?.contains("news 0") == true)
        #expect(lines.count <= 20, "\(lines.count) lines")
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
            try await Waiting.until("back") { rig.sink.prices == [0, 1] }
            #expect(connection.snapshot.lastError?.reason == .protocolViolation)
            try await Waiting.until("the answer") { answer.withLock { $0 } != nil }
        }
        #expect(answer.withLock { $0 } == .close(UInt16(code)))
        await feed.stop()
    }
}
