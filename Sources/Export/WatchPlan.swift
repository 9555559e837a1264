public import MarketData

/// Decides which day `export --watch` writes next. Reads no clock.
public struct WatchPlan: Sendable, Equatable {
    /// What to do next.
    public enum Step: Sendable, Equatable {
        /// Write a day that is finished.
        case write(TradingDay)
        /// Wait for a moment, in milliseconds since the Unix epoch.
        case wait(until: Int64)
    }

    /// The next day to write, or a closed day before it.
    private var next: TradingDay
    private let delay: Int64

    /// Starts with a day.
    ///
    /// - Parameter delay: How long events may take to come, in milliseconds.
    public init(from first: TradingDay, delay: Int64 = 0) {
        next = first
        self.delay = delay
    }

    /// Returns what to do at a time, in milliseconds since the Unix epoch. A day is finished a quarter of an hour after
    /// its trading, when late trades no longer change its bars, and its last events have come.
    public mutating func step(at now: Int64) -> Step {
        while next.session == nil { next = next.after }
        guard !next.isFinal(at: now - delay) else { return .write(next) }
        return .wait(until: (next.session?.close ?? now) + 15 * 60_000 + delay)
    }

    /// Notes that a day was written.
    public mutating func wrote(_ day: TradingDay) { next = max(next, day.after) }
}
