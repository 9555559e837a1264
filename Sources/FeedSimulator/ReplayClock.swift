/// Tells when a frame is due, from the events' own time; reads no clock.
struct ReplayClock {
    private let pace: SimulatorConfiguration.Pace
    private let isLive: Bool
    private var anchor: (time: Int64, instant: ContinuousClock.Instant)?

    init(_ pace: SimulatorConfiguration.Pace) {
        self.pace = pace
        isLive = false
    }

    /// A clock for events that happen as the wall clock goes, which shows `now` milliseconds at `instant`.
    init(liveAt now: Int64, _ instant: ContinuousClock.Instant) {
        pace = .speed(1)
        isLive = true
        anchor = (now, instant)
    }

    /// When a frame of this time, in milliseconds, is due; the first one, and the first after a pause, is due now.
    mutating func due(_ time: Int64, now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        guard case .speed(let factor) = pace else { return now }
        guard let anchor else {
            anchor = (time, now)
            return now
        }
        return anchor.instant.advanced(by: .milliseconds(1) * (Double(time - anchor.time) / factor))
    }

    /// The replay has paused: the next frame is due at once.
    mutating func paused() {
        if !isLive { anchor = nil }
    }
}
