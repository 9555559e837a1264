import Feed
import Foundation
import NIOWebSocket
import Synchronization
import TestSupport
import Testing

/// A server damages its handshakes and frames at random. The client doesn't crash, hang or grow, and takes events again
/// as soon as the server is sound.
@Suite(.timeLimit(.minutes(60))) struct FuzzTests {
    /// Damaged connections per seed; `make torture` sets more.
    private static let connections: UInt64 = {
        let rounds = ProcessInfo.processInfo.environment["TORTURE_ROUNDS"].flatMap { UInt64($0) }
        return rounds.map { max(40, $0 * 2) } ?? 40
    }()

    @Test(arguments: [1, 2] as [UInt64])
    func `damaged handshakes and frames end in another try, and sound ones are taken`(_ seed: UInt64) async throws {
        let rig = Rig()
        let first = seed * 1_000_000
        let upgraded = Mutex(0)
        let feed = try await ScriptedFeed.start(garbled: first..<first + Self.connections) { peer in
            upgraded.withLock { $0 += 1 }
            // A lost login or subscription must not keep the script waiting for ever.
            let watchdog = Task {
                try await Task.sleep(for: .seconds(2))
                peer.hangUp()
            }
            defer { watchdog.cancel() }
            try await peer.stand()
            for number in 0..<50 {
                switch number % 10 {
                case 3: peer.frame(.ping, text: "\(number)")
                case 5: peer.frame(.text, final: false, text: "[")
                case 6: peer.frame(.continuation, text: "]")
                case 8: peer.frame(.binary, bytes: [UInt8](repeating: 7, count: 300))
                default: peer.trade(number)
                }
            }
            try await peer.untilSent()
            if peer.index % 3 == 0 { peer.close(1001) }
            peer.trade(4242)
            try await Task.sleep(for: .milliseconds(20))
        }
        var configuration = try Rig.configuration(port: feed.port)
        configuration.connectTimeout = .milliseconds(400)
        configuration.loginTimeout = .milliseconds(400)
        configuration.confirmTimeout = .milliseconds(400)
        configuration.closeTimeout = .milliseconds(500)
        configuration.pingInterval = .milliseconds(100)
        configuration.stallTimeout = .milliseconds(400)
        configuration.maximumFrameBytes = 1 << 20
        configuration.reconnect.maximumFailures = 0
        let before = Self.residentBytes
        try await rig.run(configuration) { connection in
            // Of the sound connections after the damaged ones, one must deliver up to its last trade.
            let limit = Duration.seconds(60 + Int(Self.connections))
            try await Waiting.until("a sound connection", within: limit) {
                feed.accepted > first + Self.connections + 1 && rig.sink.prices.suffix(60).contains(4242)
            }
            #expect(connection.snapshot.errors > 0)
        }
        await feed.stop()
        #expect(upgraded.withLock { $0 } > Int(Self.connections) / 4, "hardly a frame was reached")
        // One per connection, and some for events that could not be decoded on the damaged ones.
        #expect(rig.sink.gaps.count <= Int(feed.accepted - first) + 60)
        // A wide bound, since other tests run beside this one; memory for a damaged frame's length would exceed it.
        #expect(Self.residentBytes - before < 1 << 30)
    }

    private static var residentBytes: Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
    }
}
