import MarketData

struct FeedMoment: Sendable, Equatable {
    /// Since a fixed point of a clock that never jumps; for deadlines.
    var monotonic: Duration
    /// Milliseconds since the Unix epoch; for gaps and pages.
    var wall: Int64
    /// Since a fixed point of a clock that never jumps and goes on while the machine is suspended; for pauses.
    var boot: Duration

    /// - Parameter boot: where nothing is suspended, the same as `monotonic`.
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

    /// The milliseconds from an earlier moment to this one, whatever the time of day did meanwhile.
    func elapsed(since earlier: FeedMoment) -> Int64 { Int64((boot - earlier.boot) / .milliseconds(1)) }
}
