import MarketData
import Synchronization

/// The limit on requests per minute, which applies to a key: clients that ask with the same key share it.
public final class RequestLimit: Sendable {
    /// The most requests a minute; 0 for no limit.
    public let requestsPerMinute: Int
    private let pacer: Mutex<RequestPacer>

    /// - Parameter requestsPerMinute: the most requests a minute; 0 sets no limit.
    public init(requestsPerMinute: Int) {
        self.requestsPerMinute = requestsPerMinute
        pacer = Mutex(RequestPacer(requestsPerMinute: requestsPerMinute))
    }

    func withPacer<Value: Sendable>(_ body: (inout RequestPacer) -> Value) -> Value { pacer.withLock { body(&$0) } }
}

/// Decides when the next request may go out and how a failed one is retried. Reads no clock and draws no random
/// numbers.
struct RequestPacer: Sendable {
    /// The shortest time between two requests.
    let interval: Duration
    private var nextRequest: Duration?

    /// The longest pause that a server may ask for.
    static let longestPause: Duration = .seconds(120)

    /// Returns the pause that a `Retry-After` header asks for: a number of seconds, or a date (RFC 9110, 10.2.3).
    ///
    /// - Parameter now: the time, in milliseconds since the Unix epoch.
    static func pause(_ header: String, now: Int64) -> Duration? {
        let date = HTTPDate.milliseconds(header).map { Duration.milliseconds($0 - now) }
        return (Int(header).map { .seconds($0) } ?? date).map { min(max(.zero, $0), longestPause) }
    }

    init(requestsPerMinute: Int) {
        interval = requestsPerMinute > 0 ? .seconds(60) / requestsPerMinute : .zero
    }

    /// Takes the next request's turn and returns how long to wait for it.
    mutating func turn(now: Duration) -> Duration {
        let due = max(nextRequest ?? now, now)
        nextRequest = due + interval
        return due - now
    }

    /// Returns how long a failed request must wait for its next try, besides its turn; `nil` if there is none.
    ///
    /// - Parameters:
    ///   - tried: how many times the request was tried, including this time.
    ///   - tries: how many times it may be tried.
    ///   - retryAfter: the pause that the server asked for.
    ///   - jitter: a random number, uniform from 0 to 1.
    mutating func failed(
        _ reason: BackfillError.Reason, tried: Int, of tries: Int, retryAfter: Duration?, jitter: Double, now: Duration
    ) -> Duration? {
        guard tried < tries else { return nil }
        switch reason {
        case .tooManyRequests:
            // Every request waits, not just this one: the limit applies to the key.
            let pause = retryAfter ?? .seconds(15) * (0.5 + jitter)
            nextRequest = max(nextRequest ?? now, now + pause)
            return .zero
        case .unreachable, .serverProblem:
            let ceiling = Duration.seconds(1).backoff(after: tried, upTo: .seconds(30))
            return max(retryAfter ?? .zero, ceiling * (0.5 + 0.5 * jitter))
        default: return nil
        }
    }
}
