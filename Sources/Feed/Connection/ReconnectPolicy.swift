import MarketData

/// What the end of a connection means for the next try.
enum FeedClose: Equatable, Sendable {
    /// Refused, lost, closed or given up for whatever ordinary reason.
    case ordinary
    /// The key was refused: trying again soon cannot help and may lock the account.
    case keyRefused
    /// Another client holds the account's connection.
    case connectionLimit
    /// The server asked for fewer requests (HTTP 429), with its Retry-After if it sent one.
    case tooManyRequests(Duration?)
}

/// How long a connection waits before it tries again.
public struct ReconnectRules: Sendable {
    /// The first wait between failed tries; it doubles up to ``cap``.
    public var firstDelay: Duration = .seconds(5)
    /// The longest wait between ordinary tries.
    public var cap: Duration = .seconds(60)
    /// The longest wait for the first try after a healthy connection ended.
    public var quickDelay: Duration = .seconds(1)
    /// How long a connection must have been up for earlier failures to be forgotten.
    var healthyAfter: Duration = .seconds(60)
    /// After this many failed tries in a row the status is ``FeedConnectionStatus/error`` and tries continue at the
    /// slowest pace; 0 means never.
    public var maximumFailures = 0
    /// The first and the longest wait after the feed refused the key.
    public var refusedKeyDelay: ClosedRange<Duration> = .seconds(60) ... .seconds(300)
    /// The shortest and the longest wait after another client took the account's connection for the first time. The
    /// wait doubles each time that this repeats, up to eightfold.
    public var connectionLimitDelay: ClosedRange<Duration> = .seconds(30) ... .seconds(120)
    /// The longest Retry-After that is obeyed.
    var patience: Duration = .seconds(600)

    /// Makes rules with the defaults.
    public init() {}
}

/// Decides when a connection may try again. Reads no clock and draws no random number.
///
/// After an ordinary failure the wait is random (full jitter) below a ceiling that doubles from the first delay to the
/// cap. It is at least a tenth of the ceiling, so that a series of low draws does not make a tight loop. The first try
/// after a healthy connection is quick.
struct ReconnectPolicy: Sendable {
    struct Next: Equatable {
        /// How long to wait before the next try.
        var delay: Duration
        /// Whether someone should look: after too many failures in a row, a refused key, or the account's limit.
        var isFailing: Bool
    }

    private let rules: ReconnectRules
    /// Failed tries since the last healthy connection.
    private(set) var failures = 0
    /// Refusals of the key since it was last accepted.
    private(set) var keyRefusals = 0
    /// How often another client took the connection since it was last up for long; at most 4.
    private(set) var givenWay = 0

    init(_ rules: ReconnectRules = ReconnectRules()) {
        var rules = rules
        // A zero wait would make a tight loop, and a cap below the first wait would be a contradiction.
        rules.firstDelay = max(rules.firstDelay, .milliseconds(10))
        rules.cap = max(rules.cap, rules.firstDelay)
        self.rules = rules
    }

    /// Records the end of a connection whose subscription was confirmed for `healthyFor`, zero if it never was. Returns
    /// when to try again. `jitter` is drawn evenly from 0 to 1.
    mutating func ended(_ reason: FeedClose, healthyFor: Duration, jitter: Double) -> Next {
        if reason != .keyRefused, healthyFor > .zero { keyRefusals = 0 }
        let wasHealthy = healthyFor >= rules.healthyAfter
        if wasHealthy { failures = 0 }
        switch reason {
        case .keyRefused:
            failures += 1
            keyRefusals += 1
            let ceiling = rules.refusedKeyDelay.lowerBound.backoff(
                after: keyRefusals, upTo: rules.refusedKeyDelay.upperBound)
            return Next(delay: ceiling * (0.9 + 0.1 * jitter), isFailing: true)
        case .connectionLimit:
            failures += 1
            // Each return pushes another client out, so clients that compete for too few connections must return ever
            // more rarely.
            givenWay = healthyFor >= rules.connectionLimitDelay.upperBound * 10 ? 1 : min(givenWay + 1, 4)
            return Next(delay: limitDelay(jitter) * (1 << (givenWay - 1)), isFailing: true)
        case .tooManyRequests(let asked):
            failures += 1
            let own = limitDelay(jitter)
            return paced(min(max(asked ?? .zero, own), rules.patience), slowest: own)
        case .ordinary where wasHealthy:
            return Next(delay: rules.quickDelay * jitter, isFailing: false)
        case .ordinary:
            failures += 1
            let ceiling = rules.firstDelay.backoff(after: failures, upTo: rules.cap)
            return paced(ceiling * max(0.1, jitter), slowest: rules.cap * (0.5 + 0.5 * jitter))
        }
    }

    /// A wait within ``ReconnectRules/connectionLimitDelay``.
    private func limitDelay(_ jitter: Double) -> Duration {
        let delay = rules.connectionLimitDelay
        return delay.lowerBound + (delay.upperBound - delay.lowerBound) * jitter
    }

    private func paced(_ delay: Duration, slowest: Duration) -> Next {
        let isFailing = rules.maximumFailures > 0 && failures >= rules.maximumFailures
        return Next(delay: isFailing ? max(delay, slowest) : delay, isFailing: isFailing)
    }
}
