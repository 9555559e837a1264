/// Decides how long a failed write waits before it is tried again. Reads no clock and draws no random number.
struct WriteBackoff: Sendable {
    private var failures = 0

    /// The pause after one more failure: from 50 ms, doubling, to 5 s.
    mutating func failed() -> Duration {
        defer { failures += 1 }
        return .milliseconds(min(5000, 50 << min(failures, 10)))
    }

    /// Forgets the failures.
    mutating func succeeded() {
        failures = 0
    }
}

/// Decides when a repeated failure is logged: at once when it is new, then every 30 seconds with its count.
struct RepeatedFailure: Sendable {
    private var key = ""
    private var count = 0
    private var nextLog: MonotonicTime?

    /// How often the failure came, when it is to be logged now; `nil` when it is to be kept quiet.
    mutating func occurred(_ failure: String, now: MonotonicTime) -> Int? {
        if failure != key {
            key = failure
            count = 0
            nextLog = nil
        }
        count += 1
        if let nextLog, now < nextLog { return nil }
        nextLog = now.advanced(by: .seconds(30))
        return count
    }

    /// Forgets the failure, and answers how often it came.
    mutating func ended() -> Int {
        defer { self = RepeatedFailure() }
        return count
    }
}
