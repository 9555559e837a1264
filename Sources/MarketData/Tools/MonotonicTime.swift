import Glibc

/// A moment of a clock that only moves forward (CLOCK_MONOTONIC); setting the time of day doesn't change it.
///
/// Use it for delays within this process alone, because it stops while the machine is suspended. For delays that people
/// or other machines can notice, use `ContinuousClock`.
public struct MonotonicTime: InstantProtocol {
    /// Nanoseconds since the machine was started, not counting those during which it was suspended.
    public var nanoseconds: UInt64

    /// Makes the moment that is this many nanoseconds after the machine was started.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Makes the moment that is this long after the machine was started.
    public init(sinceBoot: Duration) { nanoseconds = UInt64(max(0, sinceBoot.nanoseconds)) }

    private init(clock: clockid_t) {
        var time = timespec()
        clock_gettime(clock, &time)
        nanoseconds = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// The current moment.
    public static func now() -> MonotonicTime { MonotonicTime(clock: CLOCK_MONOTONIC) }

    /// The current moment to a few milliseconds, at a quarter of the cost.
    public static func coarse() -> MonotonicTime { MonotonicTime(clock: CLOCK_MONOTONIC_COARSE) }

    /// The time since the machine was started, without the time during which it was suspended.
    public var sinceBoot: Duration { .nanoseconds(Int64(clamping: nanoseconds)) }

    /// Returns a later moment, or an earlier one for a negative duration, but none before the machine was started.
    public func advanced(by duration: Duration) -> MonotonicTime {
        let change = duration.nanoseconds
        let (sum, overflows) =
            change < 0
            ? nanoseconds.subtractingReportingOverflow(change.magnitude)
            : nanoseconds.addingReportingOverflow(change.magnitude)
        return MonotonicTime(nanoseconds: overflows ? (change < 0 ? 0 : .max) : sum)
    }

    /// The time from this moment to another, negative when that one is earlier.
    public func duration(to other: MonotonicTime) -> Duration {
        other < self
            ? .zero - .nanoseconds(Int64(clamping: nanoseconds - other.nanoseconds))
            : .nanoseconds(Int64(clamping: other.nanoseconds - nanoseconds))
    }

    /// How long this moment is after an earlier one; zero when it is not later.
    public func since(_ earlier: MonotonicTime) -> Duration { max(.zero, earlier.duration(to: self)) }

    /// Returns the moment that is earlier by a duration.
    public static func - (moment: MonotonicTime, duration: Duration) -> MonotonicTime {
        moment.advanced(by: .zero - duration)
    }

    /// Whether a moment is before another.
    public static func < (left: MonotonicTime, right: MonotonicTime) -> Bool { left.nanoseconds < right.nanoseconds }
}
