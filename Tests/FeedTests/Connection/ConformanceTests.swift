import Feed
import Synchronization
import TestSupport
import Testing

/// What RFC 6455 requires of a client, case by case over a socket.
///
/// Valid frames are delivered or answered, and the connection stays open. Invalid ones end it with the right code.
/// Either way, the next connection works.
@Suite(.timeLimit(.minutes(3))) struct ConformanceTests {
    @Test func `1 frames of every length`() async throws { try await run(ConformanceCase.framing) }

    @Test func `2 pings and pongs`() async throws { try await run(ConformanceCase.pings) }

    @Test func `3 and 4 reserved bits and opcodes`() async throws { try await run(ConformanceCase.reserved) }

    @Test func `5 fragments`() async throws { try await run(ConformanceCase.fragmentation) }

    @Test func `6 UTF-8`() async throws { try await run(ConformanceCase.utf8) }

    @Test func `7 closing`() async throws { try await run(ConformanceCase.closing) }

    @Test func `9 and 10 limits`() async throws { try await run(ConformanceCase.limits) }

    /// Plays one case per connection, then makes one more connection, which must deliver.
    private func run(_ cases: [ConformanceCase]) async throws {
        let rig = Rig()
        let outcomes = Mutex<[Int: String]>([:])
        let feed = try await ScriptedFeed.start { peer in
            guard peer.index < cases.count else {
                try await peer.stand()
                peer.trade(1_000_000)
                return await peer.untilClosed()
            }
            let played = cases[peer.index]
            let outcome: String
            do {
                try await peer.stand()
                let before = rig.sink.prices.count { $0 == 1 }
                try await peer.raw(played.wire.flatMap { $0 }, chop: played.chop)
                outcome = try await Self.outcome(of: played, peer, rig, before: before)
            } catch {
                outcome = "\(error)"
            }
            outcomes.withLock { $0[peer.index] = "\(played.name): \(outcome)" }
        }
        var configuration = try Rig.configuration(port: feed.port)
        configuration.maximumFrameBytes = 4 << 20
        try await rig.run(configuration) { _ in
            try await Waiting.until("all cases", within: .seconds(120)) { rig.sink.prices.last == 1_000_000 }
            // The next connection may come before the last script has noted what it saw.
            try await Waiting.until("all outcomes") { outcomes.withLock { $0.count } == cases.count }
        }
        await feed.stop()
        let seen = outcomes.withLock { $0 }
        #expect(cases.indices.map { seen[$0] ?? "" } == cases.map { "\($0.name): \($0.outcome)" })
        #expect(!rig.sink.prices.contains(666), "what came after a close was taken")
    }

    /// What the client did, in the words of the expected outcome if it did that.
    private static func outcome(
        of played: ConformanceCase, _ peer: ScriptedPeer, _ rig: Rig, before: Int
    ) async throws -> String {
        guard case .stands(_, let pongs) = played.outcome else {
            while let message = try? await peer.next() {
                guard case .close(let code) = message else { continue }
                if played.outcome == .closes { return "\(played.outcome)" }
                return code.map { "\(ConformanceCase.Outcome.fails($0))" } ?? "closed without a code"
            }
            return "hung up without a close frame"
        }
        var answers: [[UInt8]] = []
        while answers.count < pongs.count {
            switch try? await peer.next() {
            case .pong(let payload): answers.append(payload)
            case .close(let code): return "closed with \(code ?? 0)"
            case nil: return "hung up"
            default: break
            }
        }
        // The connection still works: an event sent after the case arrives.
        peer.trade(2000 + peer.index)
        try await Waiting.until("the event after \(played.name)") {
            rig.sink.prices.contains(Double(2000 + peer.index))
        }
        let came = rig.sink.prices.count { $0 == 1 } - before
        return "\(ConformanceCase.Outcome.stands(trades: came, pongs: answers))"
    }
}
