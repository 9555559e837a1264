import Synchronization

/// Values put by callbacks and taken, in order, by one task.
final class Inbox<Value: Sendable>: Sendable {
    private struct State {
        var values: [Value] = []
        var hasEnded = false
        var waiter: CheckedContinuation<Value?, Never>?
    }

    private let state = Mutex(State())

    func put(_ value: Value) {
        let waiter = state.withLock { state in
            if let waiter = state.waiter {
                state.waiter = nil
                return waiter as CheckedContinuation<Value?, Never>?
            }
            state.values.append(value)
            return nil
        }
        waiter?.resume(returning: value)
    }

    func end() {
        let waiter = state.withLock { state in
            state.hasEnded = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: nil)
    }

    /// The next value; `nil` when there are no more.
    func next() async -> Value? {
        await withCheckedContinuation { continuation in
            let ready: Value?? = state.withLock { state in
                if !state.values.isEmpty { return .some(state.values.removeFirst()) }
                if state.hasEnded { return .some(nil) }
                state.waiter = continuation
                return nil
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }
}
