import Synchronization

/// Lets one task sleep until a time has passed or another task rings.
///
/// A ring while nobody sleeps is kept and ends the next sleep at once.
public final class Doorbell: Sendable {
    private enum State {
        case quiet
        case rung
        case sleeping(CheckedContinuation<Bool, Never>)
    }

    private let state = Mutex(State.quiet)

    /// A bell that nobody has rung.
    public init() {}

    /// Ends the sleep under way, or the next one.
    public func ring() { wake(isRung: true) }

    private func wake(isRung: Bool) {
        let sleeper: CheckedContinuation<Bool, Never>? = state.withLock { state in
            guard case .sleeping(let continuation) = state else {
                if isRung { state = .rung }
                return nil
            }
            state = .quiet
            return continuation
        }
        sleeper?.resume(returning: isRung)
    }

    /// Returns after `duration`, on a ring (`true`), or when the task is cancelled, whichever is first.
    @discardableResult
    public func sleep(upTo duration: Duration) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                try? await Task.sleep(for: duration)
                return false
            }
            group.addTask { await self.ringing() }
            var isRung = await group.next() ?? false
            group.cancelAll()
            // A ring at the moment at which the time has passed counts too.
            for await rang in group where rang { isRung = true }
            return isRung
        }
    }

    /// - Returns: `true` on a ring, `false` when the task is cancelled.
    private func ringing() async -> Bool {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if case .rung = state {
                        state = .quiet
                        return true
                    }
                    if Task.isCancelled { return false }
                    state = .sleeping(continuation)
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            wake(isRung: false)
        }
    }
}
