import MarketData

/// Gaps of the time before this process that the clock alone has ended, until the first events show whether it was right:
/// on a box without a clock of its own it may have shown the time of the last shutdown.
struct UnprovenGaps: Sendable {
    private var gaps: [(gap: Gap, ended: FeedMoment)] = []

    /// Takes gaps that the clock ends now.
    mutating func add(_ ended: [Gap], _ now: FeedMoment) { gaps += ended.map { ($0, now) } }

    /// Compares what the clock said with where the events are.
    ///
    /// - Returns: what is missing beyond the ends that the clock gave.
    mutating func prove(by times: EventTimes, _ now: FeedMoment) -> [Gap] {
        guard !gaps.isEmpty, let feed = times.feedTime(now) else { return [] }
        var missing: [Gap] = []
        gaps.removeAll { gap, ended in
            guard let told = gap.to else { return true }
            let stood = feed - now.elapsed(since: ended)
            if stood > told {
                var rest = gap
                rest.from = told
                rest.to = feed + Gap.endMargin
                rest.isUncertain = true
                missing.append(rest)
            }
            // An event that comes late proves nothing yet.
            return told - stood <= EventTimes.clockTolerance
        }
        return missing
    }
}
