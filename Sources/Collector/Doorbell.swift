import Synchronization

/// Lets one task sleep until a time has passed or somebody rings.
///
/// A ring while nobody sleeps is kept and ends the next sleep at once.
final class Doorbell: Sendable {
    private enum State {
        case quiet
        case rung
        case sleeping(CheckedContinuation<Void, Never>)
    }

    private let state = Mutex(State.quiet)

    /// Ends the sleep under way, or the next one.
    func ring() {
        let sleeper: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard case .sleeping(let continuation) = state else {
                state = .rung
                return nil
            }
            state = .quiet
            return continuation
        }
        sleeper?.resume()
    }

    /// Returns after `duration`, on a ring, or when the task is cancelled, whichever is first.
    func sleep(upTo duration: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: duration) }
            group.addTask { await self.ringing() }
            await group.next()
            group.cancelAll()
        }
    }

    private func ringing() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if case .rung = state {
                        state = .quiet
                        return true
                    }
                    if Task.isCancelled { return true }
                    state = .sleeping(continuation)
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let sleeper: CheckedContinuation<Void, Never>? = state.withLock { state in
                guard case .sleeping(let continuation) = state else { return nil }
                state = .quiet
                return continuation
            }
            sleeper?.resume()
        }
    }
}
