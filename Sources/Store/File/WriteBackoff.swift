import MarketData

/// Decides how long a failed write waits before it is tried again. Reads no clock and draws no random number.
struct WriteBackoff: Sendable {
    private var failures = 0

    /// The pause after one more failure: from 50 ms, doubling, to 5 s.
    mutating func failed() -> Duration {
        failures += 1
        return Duration.milliseconds(50).backoff(after: failures, upTo: .seconds(5))
    }

    /// Forgets the failures.
    mutating func succeeded() { failures = 0 }
}
