import DecoderFuzz
import MarketData
import TestSupport
import Testing

@testable import Feed

/// Compares the decoder with a reference decoder on frames like the feed's, changed at random.
@Suite(.timeLimit(.minutes(3))) struct MutationTests {
    #if DEBUG
        static let rounds = 4000
    #else
        static let rounds = 30_000
    #endif

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `frames changed at random are decoded as Foundation and the reference decode them`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let memory = try #require(GuardedMemory(capacity: 64 * 1024))
        var whole = 0
        var ofFoundation = 0
        for _ in 0..<MutationTests.rounds / 4 {
            let (frame, events, firstChange) = FrameMaker.changedFrame(&random)
            let check = FrameCheck(frame, events: events, firstChange: firstChange, in: memory)
            for difference in check.differences {
                Issue.record("\(difference)\n\(String(decoding: frame, as: UTF8.self))")
            }
            whole += check.isWhole ? 1 : 0
            ofFoundation += check.eventsOfFoundation
        }
        #expect(whole > MutationTests.rounds / 20 && ofFoundation > MutationTests.rounds / 20)
    }

    @Test func `no byte behind a frame is read`() throws {
        let memory = try #require(GuardedMemory(capacity: 4096))
        var random = SeededRandom(seed: 9)
        for _ in 0..<40 {
            let events = (0..<4).map { _ in FrameMaker.event(&random) }
            let frame = Array("[\(events.joined(separator: ","))]".utf8.prefix(4096))
            var decoder = FrameDecoder()
            for count in 0...frame.count {
                var batch = EventBatch(connection: "test", receivedMicroseconds: 0)
                var statuses: [FeedStatus] = []
                memory.with(frame.prefix(count)) { decoder.decode($0, into: &batch, statuses: &statuses) }
            }
            #expect(decoder.rejects.total > 0)
        }
    }
}
