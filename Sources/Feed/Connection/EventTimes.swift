import MarketData

/// How far the events of a connection have come in their own time, kind by kind.
///
/// Bytes that lie in a queue, the feed's or this machine's, are read late; when the queue is thrown away, what is missing
/// began where the events had come to, not when bytes were last read.
struct EventTimes: Sendable {
    struct Mark: Sendable, Equatable {
        /// The newest event's time: a bar's end, a trade's or quote's own time; in milliseconds since the Unix epoch.
        var event: Int64
        /// When the last event of the kind was read.
        var received: FeedMoment

        /// How far the events had come: a clock that is behind, or an event from the future, makes it no later. A clock
        /// that is a day and more behind the events is not believed.
        var reached: Int64 { event - received.wall > EventTimes.clockDisbelief ? event : min(event, received.wall) }
    }

    /// How late the feed's events are, in milliseconds.
    let delay: Int64
    private var marks: [EventKind: Mark] = [:]

    init(delay: Int64) { self.delay = delay }

    subscript(_ kind: EventKind) -> Mark? { marks[kind] }

    /// What the time is in the feed's own time, as far as the events tell; an event that was read late, some minutes at
    /// most, was late then already.
    func presentTime(_ now: FeedMoment) -> Int64? {
        marks.values.map { mark in
            let late = min(max(0, mark.received.wall - delay - mark.event), 600_000)
            return mark.event + late + max(0, now.elapsed(since: mark.received))
        }.max()
    }

    /// Where the events would be now if all had come, as far as those that came show.
    func feedTime(_ now: FeedMoment) -> Int64? {
        marks.values.map { $0.event + max(0, now.elapsed(since: $0.received)) }.max()
    }

    /// Whether the events show a clock that is behind.
    func showClockBehind(_ now: FeedMoment) -> Bool {
        feedTime(now).map { $0 - now.wall + delay > Self.clockTolerance } ?? false
    }

    /// When a loss ended in the events' own time, by a channel that stood at `stood` of the clock.
    ///
    /// The clock may have been set meanwhile. What passed of a clock that can't be set, and where the events are, bound
    /// what is believed of it.
    func end(of loss: LossLedger.Loss, noted: FeedMoment, stood: Int64, _ now: FeedMoment) -> LossLedger.End {
        let step = now.wall - noted.wall - now.elapsed(since: noted)
        var end = LossLedger.End(
            time: stood + max(0, -step) - delay + Gap.endMargin, isUncertain: abs(step) > Self.clockTolerance)
        let shown = end.time
        if let feed = feedTime(now) {
            end.time = min(max(end.time, feed + Gap.endMargin), feed + Self.clockDisbelief)
        }
        end.time = max(end.time, loss.from)
        if abs(end.time - shown) > Self.clockTolerance { end.isUncertain = true }
        return end
    }

    /// Whether just an event can tell when a loss ended: the clock shows a time before its start, or long after.
    func needsEvent(toEnd loss: LossLedger.Loss, noted: FeedMoment, _ now: FeedMoment) -> Bool {
        let shown = max(now.wall, noted.wall + now.elapsed(since: noted))
        let length = shown - delay - loss.from
        return length < 0 || length > Self.longestBelieved
    }

    /// How far the clock may be off without a gap's ends being called uncertain, in milliseconds.
    static let clockTolerance: Int64 = 5000
    /// How far the clock may be from the events before it is no longer believed, in milliseconds.
    static let clockDisbelief: Int64 = 86_400_000
    /// A gap that the clock says is longer, in milliseconds, is believed when an event says so too.
    private static let longestBelieved: Int64 = 7 * 86_400_000

    mutating func took(_ batch: EventBatch, _ now: FeedMoment) {
        for head in batch.lastHeads {
            marks[head.kind] = Mark(event: max(marks[head.kind]?.event ?? head.end, head.end), received: now)
        }
    }
}
