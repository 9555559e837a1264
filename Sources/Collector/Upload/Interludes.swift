import Synchronization

/// Work that must run between two passes of the upload, because a running pass could be using the same rows.
final class Interludes: Sendable {
    private struct Waiting: Sendable {
        let key: UInt64
        let carryOut: @Sendable () async -> Void
        let withdraw: @Sendable () -> Void
    }

    private struct State {
        var waiting: [Waiting] = []
        var underWay: (key: UInt64, task: Task<Void, Never>)?
        var next: UInt64 = 0
        var isOver = false
    }

    private let state = Mutex(State())

    var isEmpty: Bool { state.withLock { $0.waiting.isEmpty } }

    /// Queues `work`, calls `ring`, and waits for its turn and its result. When the task is cancelled, so is the work,
    /// whose end is waited for if it has begun.
    ///
    /// - Throws: What `work` does, and `CancellationError` when the task was cancelled, or the upload ended, before its
    ///   turn.
    func run<Value: Sendable>(
        ring: () -> Void, _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let key = state.withLock { state in
            state.next += 1
            return state.next
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
                let waiting = Waiting(key: key) {
                    do {
                        continuation.resume(returning: try await work())
                    } catch {
                        continuation.resume(throwing: error)
                    }
                } withdraw: {
                    continuation.resume(throwing: CancellationError())
                }
                let isIn = state.withLock { state in
                    guard !state.isOver, !Task.isCancelled else { return false }
                    state.waiting.append(waiting)
                    return true
                }
                if isIn { ring() } else { waiting.withdraw() }
            }
        } onCancel: {
            let (withdrawn, begun) = state.withLock { state -> (Waiting?, Task<Void, Never>?) in
                let withdrawn = state.waiting.firstIndex { $0.key == key }.map { state.waiting.remove(at: $0) }
                return (withdrawn, state.underWay?.key == key ? state.underWay?.task : nil)
            }
            withdrawn?.withdraw()
            begun?.cancel()
        }
    }

    /// Does the work that waits; cancelling the task cancels the work under way.
    func carryOut() async {
        while let task = begin() {
            await withTaskCancellationHandler {
                await task.value
            } onCancel: {
                task.cancel()
            }
            state.withLock { $0.underWay = nil }
        }
    }

    /// Begins the next work, in its own task, so that the caller that waits for the result can cancel it.
    private func begin() -> Task<Void, Never>? {
        state.withLock { state in
            guard !state.waiting.isEmpty else { return nil }
            let next = state.waiting.removeFirst()
            let task = Task { await next.carryOut() }
            state.underWay = (key: next.key, task: task)
            return task
        }
    }

    /// Cancels the work that waits, and refuses any that comes later.
    func end() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.isOver = true
            return state.waiting
        }
        for each in waiting { each.withdraw() }
    }
}
