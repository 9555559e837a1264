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

    /// The smallest offset that is reported as wrong, in milliseconds.
    private static let tolerance: Int64 = 2000

    /// By how many milliseconds this clock is certainly ahead; negative if it is behind.
    var offset: Int64 {
        if asked > shown + coarseness { return asked - shown - coarseness }
        return answered < shown ? answered - shown : 0
    }

    /// What doctor prints.
    var finding: Finding {
        guard abs(offset) >= Self.tolerance else {
            let middle = asked + (answered - asked) / 2 - shown - coarseness / 2
            return .ok(
                "clock",
                "within \(Self.tolerance / 1000) s of \(other)"
                    + (coarseness == 0 ? ": \(abs(middle)) ms \(middle < 0 ? "behind" : "ahead")" : ""))
        }
        let seconds = Double(abs(offset)) / 1000
        return .warning(
            "clock",
            "this machine's clock is \((seconds * 10).rounded() / 10) s \(offset > 0 ? "ahead of" : "behind") \(other)"
                + ": set it right, for instance with timedatectl set-ntp true")
    }
}
