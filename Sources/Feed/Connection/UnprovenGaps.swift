import MarketData

/// Gaps from before this process whose end is known only from the clock, until the first events show whether it was
/// right. On a machine without a battery-backed clock it may have shown the time of the last shutdown.
struct UnprovenGaps: Sendable {
    private var gaps: [(gap: Gap, ended: FeedMoment)] = []

    var isEmpty: Bool { gaps.isEmpty }

    /// Adds gaps that were just ended by the clock.
    mutating func add(_ ended: [Gap], _ now: FeedMoment) { gaps += ended.map { ($0, now) } }

    /// Compares the ends that the clock gave with where the events are. Returns the gaps beyond those ends.
    mutating func prove(by times: EventTimes, _ now: FeedMoment) -> [Gap] {
        guard let feed = times.feedTime(now) else { return [] }
        var missing: [Gap] = []
        gaps.removeAll { gap, ended in
            guard let clockEnd = gap.to else { return true }
            let reached = feed - now.elapsed(since: ended)
            if reached > clockEnd {
                var rest = gap
                rest.from = clockEnd
                rest.to = feed + Gap.endMargin
                rest.isUncertain = true
                missing.append(rest)
            }
            // An event that comes late proves nothing yet.
            return clockEnd - reached <= EventTimes.clockTolerance
        }
        return missing
    }
}
