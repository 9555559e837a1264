import MarketData
import Synchronization
import TestSupport
import Testing

@testable import Collector
@testable import Feed

@Suite(.timeLimit(.minutes(2))) struct StatusBeatTests {
    @Test func `the board stays fresh without an HTTP server and without anybody who asks`() async throws {
        let samples = Atomic(0)
        let board = StatusBoard(
            collector: {
                samples.add(1, ordering: .relaxed)
                return CollectorSnapshot(collector: "box", version: "1")
            }, latency: { [:] }, beat: .milliseconds(1))
        let first = board.sample.instant
        let beat = Task { try await board.run() }
        defer { beat.cancel() }
        try await Waiting.until { samples.load(ordering: .relaxed) > 10 }
        #expect(board.sample.instant > first)
    }

    @Test func `totals count what removed connections brought`() {
        var snapshot = CollectorSnapshot(collector: "box", version: "1")
        var connection = ConnectionState(id: "connection_1", name: "one")
        connection.feed.events = [.trade: 5]
        connection.feed.errors = 1
        connection.feed.rejects.record(.unknownEvent, count: 2, piece: UnsafeRawBufferPointer(start: nil, count: 0))
        snapshot.connections = [connection]
        snapshot.placement.former.events = 100
        snapshot.placement.former.errors = 10
        #expect(snapshot.eventCount == 105 && snapshot.errorCount == 13)
    }
}
