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

/// Decides when a connection may try again. Reads no clock and draws no random number.
///
/// Ordinary failures: full jitter under a ceiling that doubles from ``firstDelay`` to ``cap`` (never less than a tenth
/// of the ceiling, so that no row of low draws makes a tight loop). The first try after a healthy connection is quick.
struct ReconnectPolicy: Sendable {
    enum Next: Equatable {
        /// Try again after so long.
        case wait(Duration)
        /// Too many failures in a row, or a refused key: someone should look; try again after so long.
        case waitInError(Duration)
        /// The account's connection limit: leave the connection to the other client for so long.
        case giveWay(Duration)
    }

    var firstDelay: Duration = .seconds(5)
    var cap: Duration = .seconds(60)
    var quickDelay: Duration = .seconds(1)
    var healthyAfter: Duration = .seconds(60)
    /// Failures in a row until the connection counts as broken; 0 means never.
    var maximumFailures = 0
    var refusedKeyDelay: ClosedRange<Duration> = .seconds(60) ... .seconds(300)
    var connectionLimitDelay: ClosedRange<Duration> = .seconds(30) ... .seconds(120)
    /// The longest Retry-After that is obeyed.
    var patience: Duration = .seconds(600)

    /// Failed tries since the last healthy connection.
    private(set) var failures = 0
    /// Refusals of the key since it was last taken.
    private(set) var keyRefusals = 0
    /// How often another client took the connection since it last stood for long.
    private(set) var givenWay = 0

    /// Takes note of a connection's end.
    ///
    /// - Parameters:
    ///   - healthyFor: how long the subscription had stood; zero when it never did.
    ///   - jitter: evenly drawn from 0 to 1.
    mutating func ended(_ reason: FeedClose, healthyFor: Duration, jitter: Double) -> Next {
        if reason != .keyRefused, healthyFor > .zero { keyRefusals = 0 }
        let wasHealthy = healthyFor >= healthyAfter
        if wasHealthy { failures = 0 }
        switch reason {
        case .keyRefused:
            failures += 1
            keyRefusals += 1
            let ceiling = Self.doubled(
                refusedKeyDelay.lowerBound, times: keyRefusals - 1, cap: refusedKeyDelay.upperBound)
            return .waitInError(ceiling * (0.9 + 0.1 * jitter))
        case .connectionLimit:
            failures += 1
            // Each return pushes somebody else out: those who want more than there is must come back ever more rarely.
            givenWay = healthyFor >= connectionLimitDelay.upperBound * 10 ? 1 : min(givenWay + 1, 4)
            let span = connectionLimitDelay.upperBound - connectionLimitDelay.lowerBound
            return .giveWay((connectionLimitDelay.lowerBound + span * jitter) * (1 << (givenWay - 1)))
        case .tooManyRequests(let asked):
            failures += 1
            let span = connectionLimitDelay.upperBound - connectionLimitDelay.lowerBound
            let own = connectionLimitDelay.lowerBound + span * jitter
            return paced(min(max(asked ?? .zero, own), patience), slowest: own)
        case .ordinary where wasHealthy:
            return .wait(quickDelay * jitter)
        case .ordinary:
            failures += 1
            let ceiling = Self.doubled(firstDelay, times: failures - 1, cap: cap)
            return paced(ceiling * max(0.1, jitter), slowest: cap * (0.5 + 0.5 * jitter))
        }
    }

    private func paced(_ delay: Duration, slowest: Duration) -> Next {
        guard maximumFailures > 0, failures >= maximumFailures else { return .wait(delay) }
        return .waitInError(max(delay, slowest))
    }

    private static func doubled(_ delay: Duration, times: Int, cap: Duration) -> Duration {
        var result = min(delay, cap)
        var left = times
        while left > 0, result < cap {
            result = min(result * 2, cap)
            left -= 1
        }
        return result
    }
}
