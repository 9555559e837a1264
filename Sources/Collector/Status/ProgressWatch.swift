import MarketData

/// How long waiting work has made no progress. Reads no clock.
struct ProgressWatch: Sendable {
    private var count: Int64 = 0
    private var since: ContinuousClock.Instant?

    /// Returns the seconds since `count` last changed while work waits; 0 while none does.
    mutating func age(_ count: Int64, isWaiting: Bool, now: ContinuousClock.Instant) -> Double {
        guard isWaiting, count == self.count, let since else {
            self.count = count
            since = now
            return 0
        }
        return max(0, (now - since).inSeconds)
    }
}
