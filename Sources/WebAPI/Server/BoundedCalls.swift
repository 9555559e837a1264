import MarketData
import Synchronization

/// Lets responses wait for a file, a few at a time and for a limited time: a hanging disk affects only requests for data
/// on it.
///
/// A call that outlives its limit is cancelled and keeps its place until it ends, so hanging calls cannot pile up.
final class BoundedCalls: Sendable {
    private let width: Int
    private let limit: Duration
    private let underWay = Mutex(0)

    /// At most `width` calls at once, each with a result or an error within `limit`.
    init(width: Int, limit: Duration) {
        self.width = width
        self.limit = limit
    }

    /// Runs a call; `what` names what it waits for.
    ///
    /// - Throws: What the call throws, or a ``Problem`` if there is no free place or the call takes too long.
    func run<Value: Sendable>(
        _ what: String, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let isFree = underWay.withLock { count in
            guard count < width else { return false }
            count += 1
            return true
        }
        guard isFree else { throw Problem.busy("\(width) requests already wait for \(what). Try again in a moment.") }
        var call: Task<Void, Never>?
        var timer: Task<Void, Never>?
        let result = await withCheckedContinuation { waiter in
            let answer = FirstAnswer<Result<Value, any Error>?>(waiter)
            call = Task {
                let result: Result<Value, any Error>
                do {
                    result = .success(try await body())
                } catch {
                    result = .failure(error)
                }
                underWay.withLock { $0 -= 1 }
                answer.give(result)
            }
            timer = Task {
                try? await Task.sleep(for: limit)
                answer.give(nil)
            }
        }
        timer?.cancel()
        guard let result else {
            call?.cancel()
            throw Problem.busy(
                "\(what) did not answer within \(limit.spoken). Is something wrong with it, or with the disk? See /health/ready."
            )
        }
        return try result.get()
    }
}

/// Resumes the waiting task with the first answer and drops all others.
private final class FirstAnswer<Value: Sendable>: Sendable {
    private let waiter: Mutex<CheckedContinuation<Value, Never>?>

    init(_ waiter: CheckedContinuation<Value, Never>) { self.waiter = Mutex(waiter) }

    func give(_ value: Value) { waiter.withLock { $0.take() }?.resume(returning: value) }
}
