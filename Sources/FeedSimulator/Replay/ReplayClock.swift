/// Computes when a frame is due from the events' own times; reads no clock.
struct ReplayClock {
    private let pace: SimulatorConfiguration.Pace
    private let isLive: Bool
    private var anchor: (time: Int64, instant: ContinuousClock.Instant)?

    init(_ pace: SimulatorConfiguration.Pace) {
        self.pace = pace
        isLive = false
    }

    /// Makes a clock for events that happen in real time; the wall clock shows `now`, in milliseconds, at `instant`.
    init(liveAt now: Int64, _ instant: ContinuousClock.Instant) {
        pace = .speed(1)
        isLive = true
        anchor = (now, instant)
    }

    /// Returns when a frame with this time, in milliseconds, is due. The first one, and the first after a pause, is due
    /// now, unless the clock is live.
    mutating func due(_ time: Int64, now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        guard case .speed(let factor) = pace else { return now }
        guard let anchor else {
            anchor = (time, now)
            return now
        }
        return anchor.instant.advanced(by: .milliseconds(1) * (Double(time - anchor.time) / factor))
    }

    /// Notes that the replay has paused: unless the clock is live, the next frame is due at once.
    mutating func paused() {
        if !isLive { anchor = nil }
    }
}
