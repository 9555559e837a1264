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
        var next: UInt64 = 0
        var isOver = false
    }

    private let state = Mutex(State())

    var isEmpty: Bool { state.withLock { $0.waiting.isEmpty } }

    /// Queues `work`, calls `ring`, and waits for its turn and its result.
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
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, any Error>, Never>) in
                let waiting = Waiting(key: key) {
                    let result: Result<Value, any Error>
                    do { result = .success(try await work()) } catch { result = .failure(error) }
                    continuation.resume(returning: result)
                } withdraw: {
                    continuation.resume(returning: .failure(CancellationError()))
                }
                let isIn = state.withLock { state in
                    guard !state.isOver, !Task.isCancelled else { return false }
                    state.waiting.append(waiting)
                    return true
                }
                if isIn { ring() } else { waiting.withdraw() }
            }
        } onCancel: {
            let withdrawn = state.withLock { state in
                state.waiting.firstIndex { $0.key == key }.map { state.waiting.remove(at: $0) }
            }
            withdrawn?.withdraw()
        }
        return try result.get()
    }

    func carryOut() async {
        while let next = state.withLock({ $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }) {
            await next.carryOut()
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
