import Feed
import NIOWebSocket
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct SecretTests {
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
            try await Waiting.until("the third connection") {
                let snapshot = connection.snapshot
                let text = "\(snapshot) \(snapshot.lastError.map(String.init(reflecting:)) ?? "")"
                snapshots.withLock { if $0.last != text { $0.append(text) } }
                return feed.all.count == 3 && snapshot.status == .connected
            }
        }
        let all = rig.log.lines + snapshots.withLock { $0 } + [shown]
        #expect(!rig.log.lines(with: "key •").isEmpty, "the refusal was told")
        #expect(all.filter { $0.contains(canary) } == [])
        await feed.stop()
    }
}
