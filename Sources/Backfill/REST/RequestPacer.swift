import MarketData

/// Decides when the next request may go out and how a refused one is tried again. Reads no clock, draws no number.
struct RequestPacer: Sendable {
    /// What to do after an answer that was none.
    enum Next: Equatable {
        case tryAgain(after: Duration)
        case giveUp
    }

    /// The shortest time between two requests.
    let interval: Duration
    /// How often one request is tried.
    let tries: Int
    private var nextRequest: Duration?

    /// The longest pause that a server may ask for.
    static let longestPause: Duration = .seconds(120)

    /// The pause that a `Retry-After` asks for; `nil` when it names no number of seconds.
    static func pause(_ header: String) -> Duration? {
        Int(header).map { min(max(.zero, .seconds($0)), longestPause) }
    }

    init(requestsPerMinute: Int, tries: Int = 6) {
        interval = requestsPerMinute > 0 ? .seconds(60) / requestsPerMinute : .zero
        self.tries = tries
    }

    /// How long to wait for the next request's turn, which is taken.
    mutating func turn(now: Duration) -> Duration {
        let due = max(nextRequest ?? now, now)
        nextRequest = due + interval
        return due - now
    }

    /// What follows a failure of a request.
    ///
    /// - Parameters:
    ///   - tried: how often the request was tried, this time included.
    ///   - retryAfter: what the server asked for.
    ///   - jitter: evenly drawn from 0 to 1.
    mutating func failed(
        _ reason: BackfillError.Reason, tried: Int, retryAfter: Duration?, jitter: Double, now: Duration
    ) -> Next {
        guard tried < tries else { return .giveUp }
        switch reason {
        case .tooManyRequests:
            // Everybody waits, not just this request: the limit is the key's.
            let pause = retryAfter ?? .seconds(15) * (0.5 + jitter)
            nextRequest = max(nextRequest ?? now, now + pause)
            return .tryAgain(after: .zero)
        case .unreachable, .serverProblem:
            let ceiling = Duration.seconds(1).backoff(after: tried, upTo: .seconds(30))
            return .tryAgain(after: max(retryAfter ?? .zero, ceiling * (0.5 + 0.5 * jitter)))
        default: return .giveUp
        }
    }
}
