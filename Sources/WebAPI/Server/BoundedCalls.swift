import Collector
import MarketData
import Synchronization

/// Lets answers wait for a file, a few at a time and none for long: a hanging disk costs those who ask for what is on
/// it, and nobody else.
///
/// A call that outlives its limit is cancelled and keeps its place until it ends, so hanging calls cannot pile up.
final class BoundedCalls: Sendable {
    private let width: Int
    private let limit: Duration
    private let underWay = Mutex(0)

    /// At most `width` calls at once, each answered within `limit`.
    init(width: Int, limit: Duration) {
        self.width = width
        self.limit = limit
    }

    /// Runs a call; `what` names what it waits for.
    func run<Value: Sendable>(
        _ what: String, _ body: @escaping @Sendable () async throws(CollectorProblem) -> Value
    ) async throws(Problem) -> Value {
        let isFree = underWay.withLock { count in
            guard count < width else { return false }
            count += 1
            return true
        }
        guard isFree else {
            throw .busy("\(width) requests wait for \(what) already. Try again in a moment.")
        }
        let answer = FirstAnswer<Result<Value, CollectorProblem>?>()
        let call = Task {
            let result: Result<Value, CollectorProblem>
            do throws(CollectorProblem) {
                result = .success(try await body())
            } catch {
                result = .failure(error)
            }
            underWay.withLock { $0 -= 1 }
            answer.give(result)
        }
        let timer = Task {
            try? await Task.sleep(for: limit)
            if answer.give(nil) { call.cancel() }
        }
        let result = await answer.take()
        timer.cancel()
        switch result {
        case .success(let value): return value
        case .failure(let problem): throw Problem(problem)
        case nil:
            throw .busy(
                "\(what) did not answer within \(limit.spoken). Is it, or the disk, in trouble? See /health/ready.")
        }
    }
}

/// A place for one answer, of which the first given counts.
private final class FirstAnswer<Value: Sendable>: Sendable {
    private enum State {
        case open
        case awaited(CheckedContinuation<Value, Never>)
        case given(Value)
        case taken
    }

    private let state = Mutex(State.open)

    @discardableResult
    func give(_ value: Value) -> Bool {
        let (isFirst, waiter) = state.withLock { state -> (Bool, CheckedContinuation<Value, Never>?) in
            switch state {
            case .open:
                state = .given(value)
                return (true, nil)
            case .awaited(let continuation):
                state = .taken
                return (true, continuation)
            case .given, .taken:
                return (false, nil)
            }
        }
        waiter?.resume(returning: value)
        return isFirst
    }

    func take() async -> Value {
        await withCheckedContinuation { continuation in
            let value = state.withLock { state -> Value? in
                if case .given(let value) = state {
                    state = .taken
                    return value
                }
                state = .awaited(continuation)
                return nil
            }
            if let value { continuation.resume(returning: value) }
        }
    }
}
