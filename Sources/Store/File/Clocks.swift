import Glibc

/// A moment that only ever grows, in nanoseconds; a change of the wall clock doesn't move it.
struct MonotonicTime: InstantProtocol {
    var nanoseconds: UInt64

    static func now() -> MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    func advanced(by duration: Duration) -> MonotonicTime {
        MonotonicTime(nanoseconds: nanoseconds &+ duration.wholeNanoseconds)
    }

    func earlier(by duration: Duration) -> MonotonicTime {
        MonotonicTime(nanoseconds: nanoseconds - min(nanoseconds, duration.wholeNanoseconds))
    }

    func duration(to other: MonotonicTime) -> Duration {
        .nanoseconds(Int64(truncatingIfNeeded: other.nanoseconds &- nanoseconds))
    }

    /// How long until this moment; zero when it has passed.
    func since(_ earlier: MonotonicTime) -> Duration {
        self > earlier ? .nanoseconds(Int64(nanoseconds - earlier.nanoseconds)) : .zero
    }

    static func < (left: MonotonicTime, right: MonotonicTime) -> Bool { left.nanoseconds < right.nanoseconds }
}

extension Duration {
    /// The length in nanoseconds; negative ones count as zero, ones beyond centuries as the longest.
    var wholeNanoseconds: UInt64 {
        let parts = components
        guard parts.seconds >= 0, parts.attoseconds >= 0 else { return 0 }
        guard parts.seconds < 4_000_000_000 else { return 4_000_000_000_000_000_000 }
        return UInt64(parts.seconds) * 1_000_000_000 + UInt64(parts.attoseconds / 1_000_000_000)
    }
}

/// The time of day, for what users read and what rows carry.
enum WallClock {
    /// Microseconds since the Unix epoch.
    static func microseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// `2026-08-01T09:30:00Z`.
    static func text(seconds: Int64) -> String {
        formatted(seconds, "%Y-%m-%dT%H:%M:%SZ")
    }

    /// `20260801T093000Z`, for file names.
    static func compactText(seconds: Int64) -> String {
        formatted(seconds, "%Y%m%dT%H%M%SZ")
    }

    private static func formatted(_ seconds: Int64, _ format: String) -> String {
        var moment = time_t(seconds)
        var parts = tm()
        gmtime_r(&moment, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            guard let start = buffer.baseAddress, strftime(start, 64, format, &parts) > 0 else { return "" }
            return String(cString: start)
        }
    }
}
