import Synchronization
import Testing

@testable import Relay

@Suite(.timeLimit(.minutes(1))) struct `Turns at the file` {
    /// Turns of which the first is taken until `open` is called. An immediate task has asked when it is made.
    private static func held(_ turns: Turns) -> (task: Task<Void, any Error>, open: @Sendable () -> Void) {
        let (gate, opening) = AsyncStream.makeStream(of: Void.self)
        let task = Task.immediate { try await turns.take { for await _ in gate { return } } }
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
        let (first, open) = Self.held(turns)
        var others: [Task<Void, any Error>] = []
        for number in 0..<50 {
            others.append(Task.immediate { try await turns.take { await record.turn(of: number) } })
        }
        open()
        try await first.value
        for task in others { try await task.value }
        #expect(record.had == Array(0..<50) && record.most == 1)
        #expect(try await turns.take { true }, "nobody has the turn any more")
    }

    @Test func `are not waited for by one whose reader has gone, nor had`() async throws {
        let (turns, record) = (Turns(), Record())
        let (first, open) = Self.held(turns)
        let gone = (0..<20).map { number in Task.immediate { try await turns.take { await record.turn(of: number) } } }
        let stays = Task.immediate { try await turns.take { await record.turn(of: 100) } }
        for task in gone { task.cancel() }
        for task in gone { await #expect(throws: CancellationError.self) { try await task.value } }
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
        #expect(record.had == [100])
        #expect(try await turns.take { true }, "nobody has the turn any more")
    }

    @Test func `go on after a failure`() async throws {
        struct Failure: Error {}
        let turns = Turns()
        await #expect(throws: Failure.self) { try await turns.take { throw Failure() } }
        #expect(try await turns.take { 7 } == 7)
    }
}
