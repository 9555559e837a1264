import MarketData

/// Decides how long the upload waits before its next pass. Reads no clock and draws no random number.
struct SyncPolicy: Sendable {
    /// How a pass ended.
    enum Outcome: Sendable, Equatable {
        /// Everything that was buffered is upstream.
        case drained
        /// A temporary fault: the connection, a lock, a full server.
        case failedForNow
        /// A fault that a person must fix: schema, rights, password, a read-only server.
        case paused
    }

    /// The slowest pace while waiting for a person, and the cap of the backoff.
    static let slowest: Duration = .seconds(60)

    private let interval: Duration
    private var failures = 0

    /// Makes a policy with a pass every `interval` while all goes well.
    init(interval: Duration) { self.interval = interval }

    /// Returns the time to wait after a pass.
    ///
    /// - Parameter jitter: a number from 0 to 1, drawn by the caller, so that collectors that lost the same database
    ///   don't come back in step.
    mutating func wait(after outcome: Outcome, jitter: Double) -> Duration {
        switch outcome {
        case .drained:
            failures = 0
            return interval
        case .failedForNow:
            failures += 1
            return Duration.seconds(1).backoff(after: failures, upTo: Self.slowest) * (0.5 + 0.5 * jitter)
        case .paused:
            failures += 1
            return Duration.seconds(5).backoff(after: failures, upTo: Self.slowest) * (0.75 + 0.25 * jitter)
        }
    }
}
