import MarketData

/// How the end of a connection bears on the next try.
enum FeedClose: Equatable, Sendable {
    /// Refused, lost, closed or given up for whatever ordinary reason.
    case ordinary
    /// The key was refused: trying again soon cannot help and may lock the account.
    case keyRefused
    /// Another client holds the account's connection.
    case connectionLimit
    /// The server asked for patience, for so long when it said so (HTTP 429, Retry-After).
    case tooManyRequests(Duration?)
}

/// The times that a connection tries again by.
public struct ReconnectRules: Sendable {
    /// The first wait between failed tries; it doubles up to ``cap``.
    public var firstDelay: Duration = .seconds(5)
    /// The longest wait between ordinary tries.
    public var cap: Duration = .seconds(60)
    /// The longest wait for the first try after a healthy connection ended.
    public var quickDelay: Duration = .seconds(1)
    /// How long a connection must have stood for earlier failures to be forgotten.
    var healthyAfter: Duration = .seconds(60)
    /// After so many failed tries in a row the status is ``FeedConnectionStatus/error`` and tries go on at the slowest
    /// pace; 0 means never.
    public var maximumFailures = 0
    /// The first and the longest wait after the feed refused the key.
    public var refusedKeyDelay: ClosedRange<Duration> = .seconds(60) ... .seconds(300)
    /// The shortest and the longest wait after another client took the account's connection.
    public var connectionLimitDelay: ClosedRange<Duration> = .seconds(30) ... .seconds(120)
    /// The longest Retry-After that is obeyed.
    var patience: Duration = .seconds(600)
}

/// Decides when a connection may try again. Reads no clock and draws no random number.
///
/// Ordinary failures: full jitter under a ceiling that doubles from the first delay to the cap (never less than a
/// tenth of the ceiling, so that no row of low draws makes a tight loop). The first try after a healthy connection is quick.
struct ReconnectPolicy: Sendable {
    enum Next: Equatable {
        /// Try again after so long.
        case wait(Duration)
        /// Too many failures in a row, or a refused key: someone should look; try again after so long.
        case waitInError(Duration)
        /// The account's connection limit: leave the connection to the other client for so long.
        case giveWay(Duration)
    }

    private let rules: ReconnectRules
    /// Failed tries since the last healthy connection.
    private(set) var failures = 0
    /// Refusals of the key since it was last taken.
    private(set) var keyRefusals = 0
    /// How often another client took the connection since it last stood for long.
    private(set) var givenWay = 0

    init(_ rules: ReconnectRules = ReconnectRules()) {
        var rules = rules
        // A wait of nothing, or a cap below the first wait, would make a tight loop or a contradiction.
        rules.firstDelay = max(rules.firstDelay, .milliseconds(10))
        rules.cap = max(rules.cap, rules.firstDelay)
        self.rules = rules
    }

    /// Takes note of a connection's end.
    ///
    /// - Parameters:
    ///   - healthyFor: how long the subscription had stood; zero when it never did.
    ///   - jitter: evenly drawn from 0 to 1.
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
            return .waitInError(ceiling * (0.9 + 0.1 * jitter))
        case .connectionLimit:
            failures += 1
            // Each return pushes somebody else out: those who want more than there is must come back ever more rarely.
            givenWay = healthyFor >= rules.connectionLimitDelay.upperBound * 10 ? 1 : min(givenWay + 1, 4)
            return .giveWay(limitDelay(jitter) * (1 << (givenWay - 1)))
        case .tooManyRequests(let asked):
            failures += 1
            let own = limitDelay(jitter)
            return paced(min(max(asked ?? .zero, own), rules.patience), slowest: own)
        case .ordinary where wasHealthy:
            return .wait(rules.quickDelay * jitter)
        case .ordinary:
            failures += 1
            let ceiling = rules.firstDelay.backoff(after: failures, upTo: rules.cap)
            return paced(ceiling * max(0.1, jitter), slowest: rules.cap * (0.5 + 0.5 * jitter))
        }
    }

    /// A wait between the shortest and the longest at the account's limit.
    private func limitDelay(_ jitter: Double) -> Duration {
        let delay = rules.connectionLimitDelay
        return delay.lowerBound + (delay.upperBound - delay.lowerBound) * jitter
    }

    private func paced(_ delay: Duration, slowest: Duration) -> Next {
        guard rules.maximumFailures > 0, failures >= rules.maximumFailures else { return .wait(delay) }
        return .waitInError(max(delay, slowest))
    }
}
