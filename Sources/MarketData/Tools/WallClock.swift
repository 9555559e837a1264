import Glibc

/// The time of day (CLOCK_REALTIME), which may jump: for display and for times in rows, never for measuring.
public enum WallClock {
    /// The offset from another clock, in milliseconds, from which this machine's counts as wrong.
    public static let tolerance: Int64 = 2000

    /// Microseconds since the Unix epoch.
    public static func microseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// Milliseconds since the Unix epoch.
    public static func milliseconds() -> Int64 { microseconds() / 1000 }

    /// Seconds since the Unix epoch.
    public static func seconds() -> Int64 { microseconds() / 1_000_000 }

    /// Formats seconds since the Unix epoch as `2026-08-01T09:30:00Z`.
    public static func text(seconds: Int64) -> String { formatted(seconds, "%Y-%m-%dT%H:%M:%SZ") }

    /// Formats milliseconds since the Unix epoch as `2026-08-01T09:30:00Z`, rounded down to the second.
    public static func text(milliseconds: Int64) -> String {
        text(seconds: milliseconds / 1000 - (milliseconds % 1000 < 0 ? 1 : 0))
    }

    /// Formats seconds since the Unix epoch as `20260801T093000Z`, for file names.
    public static func compactText(seconds: Int64) -> String { formatted(seconds, "%Y%m%dT%H%M%SZ") }

    private static func formatted(_ seconds: Int64, _ format: String) -> String {
        var moment = time_t(seconds)
        var parts = tm()
        guard gmtime_r(&moment, &parts) != nil else { return "\(seconds) s after 1970" }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            guard let start = buffer.baseAddress, strftime(start, 64, format, &parts) > 0 else { return "" }
            return String(cString: start)
        }
    }
}
