extension Duration {
    /// The length in seconds.
    public var inSeconds: Double { self / .seconds(1) }

    /// The length in whole nanoseconds, rounded toward zero; clamped beyond 292 years.
    public var nanoseconds: Int64 { whole(perSecond: 1_000_000_000) }

    /// The length in whole milliseconds, rounded toward zero; clamped to what fits.
    public var milliseconds: Int64 { whole(perSecond: 1000) }

    /// The length in whole milliseconds, rounded up, so that no length above zero becomes 0.
    public var millisecondsUp: Int64 {
        let below = milliseconds
        return self > .milliseconds(below) && below < .max ? below + 1 : below
    }

    /// The pause after `failures` failures in a row: this length after the first, doubled for each other to `longest`.
    public func backoff(after failures: Int, upTo longest: Duration) -> Duration {
        var pause = min(self, longest)
        var left = failures - 1
        while left > 0, pause < longest {
            pause = min(pause * 2, longest)
            left -= 1
        }
        return pause
    }

    /// The length for people: `250 ms`, `1.5 s`, `60 s`, `5 min`, `3 h`, `4 days`; an age below zero, as after the clock
    /// was set, is `0 ms`.
    public var spoken: String {
        let milliseconds = max(0, milliseconds)
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        switch milliseconds / 60_000 {
        case ..<5: break
        case let minutes where minutes < 120: return "\(minutes) min"
        case let minutes where minutes < 48 * 60: return "\(minutes / 60) h"
        case let minutes: return "\(minutes / (24 * 60)) days"
        }
        let tenths = milliseconds / 100 + (milliseconds % 100 >= 50 ? 1 : 0)
        return tenths % 10 == 0 || tenths >= 100 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
    }

    private func whole(perSecond units: Int64) -> Int64 {
        let (seconds, attoseconds) = components
        let (product, isTooLong) = seconds.multipliedReportingOverflow(by: units)
        let (sum, overflows) = product.addingReportingOverflow(attoseconds / (1_000_000_000_000_000_000 / units))
        if isTooLong || overflows { return self < .zero ? .min : .max }
        return sum
    }
}
