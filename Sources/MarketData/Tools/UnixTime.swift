/// The range of times that are accepted.
public enum UnixTime {
    /// The years 1970 to 9999, in milliseconds since the Unix epoch: arithmetic with them does not overflow. A row that
    /// another program wrote, or a request, may hold any number.
    public static let possible: ClosedRange<Int64> = 0...253_402_300_799_999

    /// Returns a time in milliseconds since the Unix epoch, clamped to ``possible``.
    public static func bounded(_ milliseconds: Int64) -> Int64 {
        min(max(milliseconds, possible.lowerBound), possible.upperBound)
    }

    /// Whether a time of an event is so large that it must be in nanoseconds. The threshold is in the year 1973 as
    /// nanoseconds, and some three million years away as milliseconds.
    @inlinable
    public static func isNanoseconds(_ time: Int64) -> Bool { time >= 100_000_000_000_000_000 }
}
