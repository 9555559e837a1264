public import MarketData

/// Which day `export --watch` writes next. Reads no clock.
public struct WatchPlan: Sendable, Equatable {
    /// What is to be done.
    public enum Step: Sendable, Equatable {
        /// Write a day that is finished.
        case write(TradingDay)
        /// Wait for a moment, in milliseconds since the Unix epoch.
        case wait(until: Int64)
    }

    /// The next day to write, or a closed one before it.
    private var next: TradingDay

    /// Begins with a day.
    public init(from first: TradingDay) { next = first }

    /// What to do at a time, in milliseconds since the Unix epoch. A day is finished a quarter of an hour after its trading,
    /// when late trades change its bars no more.
    public mutating func step(at now: Int64) -> Step {
        while next.session == nil { next = next.after }
        guard !next.isFinal(at: now) else { return .write(next) }
        return .wait(until: (next.session?.close ?? now) + 15 * 60_000)
    }

    /// Notes that a day was written.
    public mutating func wrote(_ day: TradingDay) { next = max(next, day.after) }
}
