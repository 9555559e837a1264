import Synchronization

/// Wakes tasks that wait for shared state to change, without losing a change that comes before the wait.
public final class ChangeSignal: Sendable {
    private struct State {
        var version: UInt64 = 0
        var nextWaiter: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    /// Makes a signal that has seen no change.
    public init() {}

    /// The number of changes so far; read it before reading the state, then wait past it.
    public var version: UInt64 { state.withLock { $0.version } }

    /// Announces that something has changed; on any thread.
    public func changed() {
        let waiters = state.withLock { state in
            state.version &+= 1
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume() }
    }

    /// Returns when there has been a change since `version` was read, or throws when the task is cancelled.
    public func wait(past version: UInt64) async throws {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.version != version || Task.isCancelled { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
        }
        try Task.checkCancellation()
    }

    /// Returns once `condition` holds, which is evaluated again after each change. Throws what it throws, and when the
    /// task is cancelled.
    public func wait(until condition: () throws -> Bool) async throws {
        while true {
            let version = version
            if try condition() { return }
            try await wait(past: version)
        }
    }
}
