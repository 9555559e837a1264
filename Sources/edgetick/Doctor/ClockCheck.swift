import MarketData

/// Compares this machine's clock with another one. Reads no clock itself.
///
/// Receive times, latencies and the ends of gaps come from this machine's clock, and certificates are refused if it is
/// far off.
struct ClockCheck: Sendable, Equatable {
    /// Whose clock this one is compared with.
    var other: String
    /// When the other machine was asked, when it answered and the time it showed, in milliseconds since the Unix epoch.
    var asked: Int64
    var answered: Int64
    var shown: Int64
    /// The resolution of the other clock, in milliseconds.
    var coarseness: Int64 = 0

    /// The least number of milliseconds that this clock is ahead, whatever the delay of the answer; negative if behind.
    var offset: Int64 {
        if asked > shown + coarseness { return asked - shown - coarseness }
        return answered < shown ? answered - shown : 0
    }

    /// What doctor prints.
    var finding: Finding {
        guard abs(offset) >= WallClock.tolerance else {
            let middle = asked + (answered - asked) / 2 - shown - coarseness / 2
            return .ok(
                "clock",
                "within \(WallClock.tolerance / 1000) s of \(other)"
                    + (coarseness == 0 ? ": \(abs(middle)) ms \(middle < 0 ? "behind" : "ahead")" : ""))
        }
        let seconds = Double(abs(offset)) / 1000
        return .warning(
            "clock",
            "this machine's clock is \(seconds.oneDecimal) s \(offset > 0 ? "ahead of" : "behind") \(other)"
                + ": set it right, for instance with timedatectl set-ntp true")
    }
}
