/// Tells when a frame is due, from the events' own time; reads no clock.
struct ReplayClock {
    private let pace: SimulatorConfiguration.Pace
    private var anchor: (time: Int64, instant: ContinuousClock.Instant)?

    init(_ pace: SimulatorConfiguration.Pace) {
        self.pace = pace
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
    mutating func paused() { anchor = nil }
}
