import Synchronization

/// One at a time, in the order in which they ask; whose task is cancelled leaves the queue.
///
/// What waits at the buffer itself can't be taken back: readers that come, ask for everything and vanish would be served
/// one after the other long after they have gone.
final class Turns: Sendable {
    private struct State {
        var isTaken = false
        var next = 0
        var waiting: [Int: CheckedContinuation<Bool, Never>] = [:]
    }

    private let state = Mutex(State())

    /// Does something when it is this one's turn.
    ///
    /// - Throws: `CancellationError` when the task is cancelled before; else what `body` throws.
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
