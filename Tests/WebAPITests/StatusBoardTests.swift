import Collector
import Store
import TestSupport
import Testing
import WebAPISupport

@testable import WebAPI

@Suite(.timeLimit(.minutes(2))) struct StatusBoardTests {
    @Test func `a sample that comes late doesn't replace one that was asked for after it`() async throws {
        let staged = StagedCollector()
        staged.change { $0.snapshot.buffer.gaps = 1 }
        let collector = HangingCollector(staged)
        let board = StatusBoard(collector: { collector.snapshot() }, latency: { [:] })
        collector.keepNext()
        let early = Task { try await Blocking.run { board.refresh().snapshot.buffer.gaps } }
        try await Waiting.until("a sample that is kept") { collector.isKeeping }

        staged.change { $0.snapshot.buffer.gaps = 2 }
        #expect(board.refresh().snapshot.buffer.gaps == 2)
        collector.deliver()

        #expect(try await early.value == 2)
        #expect(board.sample.snapshot.buffer.gaps == 2)
    }
}
