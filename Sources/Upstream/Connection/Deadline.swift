/// A moment on the monotonic clock by which something must be done.
struct Deadline: Sendable {
    private let instant: ContinuousClock.Instant

    init(after duration: Duration) {
        instant = .now + duration
    }

    /// What is left in whole milliseconds, rounded up, as poll(2) takes it; 0 when the moment is past.
    var remainingMilliseconds: Int32 {
        let rest = remaining
        guard rest > .zero else { return 0 }
        let (seconds, attoseconds) = rest.components
        let milliseconds = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return Int32(clamping: milliseconds)
    }

    /// What is left; zero or less when the moment is past.
    var remaining: Duration { instant - .now }
}

extension Duration {
    /// Whole milliseconds, at least 1, for settings in which 0 would mean no limit.
    var wholeMilliseconds: Int64 {
        max(1, components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000)
    }
}
