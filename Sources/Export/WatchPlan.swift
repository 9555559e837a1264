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

    /// The next day to write, or a day without trading before it.
    private var next: TradingDay
    private let delay: Int64

    /// Starts with a day.
    ///
    /// - Parameter delay: How late events may arrive, in milliseconds.
    public init(from first: TradingDay, delay: Int64 = 0) {
        next = first
        self.delay = delay
    }

    /// Returns the next step at a time, in milliseconds since the Unix epoch. A day is finished when late trades no longer
    /// change its bars, plus the delay of its last events.
    public mutating func step(at now: Int64) -> Step {
        while next.session == nil { next = next.after }
        guard let end = next.finalTime, now - delay < end else { return .write(next) }
        return .wait(until: end + delay)
    }

    /// Notes that a day was written.
    public mutating func wrote(_ day: TradingDay) { next = max(next, day.after) }
}
