import Synchronization

/// Lets tasks take turns, one at a time, in the order in which they ask. A task that is cancelled leaves the queue.
///
/// A request that waits in the buffer itself can't be withdrawn: readers that connect, ask for everything and vanish
/// would be served one after another long after they have gone.
final class Turns: Sendable {
    private struct State {
        var isTaken = false
        var next = 0
        var waiting: [Int: CheckedContinuation<Bool, Never>] = [:]
    }

    private let state = Mutex(State())

    /// Runs `body` when it is this task's turn.
    ///
    /// - Throws: `CancellationError` if the task is cancelled before that; otherwise what `body` throws.
    func take<Value>(_ body: () async throws -> Value) async throws -> Value {
        try await begin()
        defer { end() }
        return try await body()
    }

    private func begin() async throws {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        let isMine = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isMine: Bool? = state.withLock { state in
                    if Task.isCancelled { return false }
                    guard state.isTaken else {
                        state.isTaken = true
                        return true
                    }
                    state.waiting[number] = continuation
                    return nil
                }
                if let isMine { continuation.resume(returning: isMine) }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: number) }?.resume(returning: false)
        }
        guard isMine else { throw CancellationError() }
    }

    private func end() {
        let next = state.withLock { state in
            let first = state.waiting.keys.min()
            state.isTaken = first != nil
            return first.flatMap { state.waiting.removeValue(forKey: $0) }
        }
        next?.resume(returning: true)
    }
}
