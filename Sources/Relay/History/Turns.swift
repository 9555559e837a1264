import FeedServer
import Synchronization

/// Lets tasks take turns, one at a time, in the order in which they ask. A task that is cancelled leaves the queue.
///
/// A request that waits in the buffer itself can't be withdrawn: readers that connect, ask for everything and vanish
/// would be served one after another long after they have gone.
final class Turns: Sendable {
    private struct State {
        var next = 0
        /// The numbers of the waiting tasks, after the one whose turn it is.
        var line: [Int] = []
    }

    private let state = Mutex(State())
    private let signal = ChangeSignal()

    /// Runs `body` when it is this task's turn.
    ///
    /// - Throws: `CancellationError` if the task is cancelled before that; otherwise what `body` throws.
    func take<Value>(_ body: () async throws -> Value) async throws -> Value {
        try Task.checkCancellation()
        let number = state.withLock { state in
            state.next += 1
            state.line.append(state.next)
            return state.next
        }
        defer {
            state.withLock { $0.line.removeAll { $0 == number } }
            signal.changed()
        }
        try await signal.wait { state.withLock { $0.line.first == number } }
        return try await body()
    }
}
