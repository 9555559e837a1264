import MarketData

struct FeedMoment: Sendable, Equatable {
    /// The time on a clock that never jumps; for deadlines.
    var monotonic: Duration
    /// Milliseconds since the Unix epoch; for gaps and for display.
    var wall: Int64
    /// The time on a clock that never jumps and also runs while the machine is suspended; for pauses.
    var boot: Duration

    /// - Parameter boot: the same as `monotonic` by default, as if nothing was ever suspended.
    init(monotonic: Duration, wall: Int64, boot: Duration? = nil) {
        self.monotonic = monotonic
        self.wall = wall
        self.boot = boot ?? monotonic
    }

    static func now() -> FeedMoment {
        FeedMoment(
            monotonic: MonotonicTime.now().sinceBoot, wall: WallClock.milliseconds(),
            boot: start.duration(to: .now))
    }

    private static let start = ContinuousClock.now

    /// The milliseconds from an earlier moment to this one, even if the time of day was set in between.
    func elapsed(since earlier: FeedMoment) -> Int64 { Int64((boot - earlier.boot) / .milliseconds(1)) }
}
