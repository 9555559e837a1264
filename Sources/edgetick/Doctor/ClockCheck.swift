import FoundationEssentials
import Glibc

/// Judges this machine's clock by another's. Reads no clock.
///
/// Received times, the latency and the ends of gaps are this machine's; a certificate is refused when its clock is far off.
struct ClockCheck: Sendable, Equatable {
    /// Whose clock it is compared with.
    var other: String
    /// When that one was asked, when it answered and what it showed, in milliseconds since the Unix epoch.
    var asked: Int64
    var answered: Int64
    var shown: Int64
    /// How coarse the other clock is, in milliseconds.
    var coarseness: Int64 = 0

    /// From here on the clock is called wrong, in milliseconds.
    private static let tolerance: Int64 = 2000

    /// How far this clock is ahead for certain, in milliseconds; behind where negative.
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
            "this machine's clock is \((seconds * 10).rounded() / 10) s "
                + "\(offset > 0 ? "ahead of" : "behind") \(other): set it right, for instance with timedatectl set-ntp true"
        )
    }
}
