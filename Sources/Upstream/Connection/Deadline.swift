import MarketData

/// A moment on the monotonic clock by which something must be done.
struct Deadline: Sendable {
    private let instant: ContinuousClock.Instant

    init(after duration: Duration) { instant = .now + duration }

    /// What is left in whole milliseconds, rounded up, as poll(2) takes it; 0 when the moment is past.
    var remainingMilliseconds: Int32 { Int32(clamping: max(0, remaining.millisecondsUp)) }

    var remaining: Duration { instant - .now }
}

extension Duration {
    /// Whole milliseconds, at least 1, for PostgreSQL's settings, in which 0 would mean no limit.
    var settingMilliseconds: Int64 { max(1, milliseconds) }
}
