import Synchronization
import TestSupport
import Testing

@testable import Relay

@Suite(.timeLimit(.minutes(1))) struct `Turns at the file` {
    /// Turns of which the first is taken until `opened` is called.
    private static func held(_ turns: Turns) async throws -> (task: Task<Void, any Error>, open: @Sendable () -> Void) {
        let (gate, opening) = AsyncStream.makeStream(of: Void.self)
        let task = Task { try await turns.take { for await _ in gate { return } } }
        try await Waiting.until(within: .seconds(30)) { turns.isTaken }
        return (task, { opening.yield() })
    }

    /// Who had a turn, and how many have one now.
    private final class Record: Sendable {
        private let state = Mutex((had: [Int](), inside: 0, most: 0))

        var had: [Int] { state.withLock { $0.had } }
        var most: Int { state.withLock { $0.most } }

        func turn(of number: Int) async {
            state.withLock { state in
                state.had.append(number)
                state.inside += 1
                state.most = max(state.most, state.inside)
            }
            await Task.yield()
            state.withLock { $0.inside -= 1 }
        }
    }

    @Test func `come in the order in which they were asked for, one at a time`() async throws {
        let (turns, record) = (Turns(), Record())
        let (first, open) = try await Self.held(turns)
        var others: [Task<Void, any Error>] = []
        for number in 0..<50 {
            others.append(Task { try await turns.take { await record.turn(of: number) } })
            try await Waiting.until(within: .seconds(30)) { turns.waiting == number + 1 }
        }
        open()
        try await first.value
        for task in others { try await task.value }
        #expect(record.had == Array(0..<50) && record.most == 1 && !turns.isTaken)
    }

    @Test func `are not waited for by one whose reader has gone, nor had`() async throws {
        let (turns, record) = (Turns(), Record())
        let (first, open) = try await Self.held(turns)
        let gone = (0..<20).map { number in Task { try await turns.take { await record.turn(of: number) } } }
        let stays = Task { try await turns.take { await record.turn(of: 100) } }
        try await Waiting.until(within: .seconds(30)) { turns.waiting == 21 }
        for task in gone { task.cancel() }
        for task in gone { await #expect(throws: CancellationError.self) { try await task.value } }
        #expect(turns.waiting == 1)
        open()
        try await first.value
        try await stays.value
        // Nor by one that is cancelled before it asks.
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            try await turns.take { await record.turn(of: 200) }
        }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await late.value }
        #expect(record.had == [100] && !turns.isTaken)
    }

    @Test func `go on after a failure`() async throws {
        struct Failure: Error {}
        let turns = Turns()
        await #expect(throws: Failure.self) { try await turns.take { throw Failure() } }
        #expect(try await turns.take { 7 } == 7)
    }
}
