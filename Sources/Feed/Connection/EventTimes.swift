import MarketData

/// How far the events of a connection have come in their own time, by kind.
///
/// Bytes may wait long in a queue, the feed's or this machine's. If the queue is discarded, what is missing begins
/// where the events had come to, not when bytes were last read.
struct EventTimes: Sendable {
    struct Mark: Sendable, Equatable {
        /// The newest event's time: a bar's end, a trade's or quote's own time; in milliseconds since the Unix epoch.
        var event: Int64
        /// When the last event of the kind was read.
        var received: FeedMoment

        /// How far the events had come, but no later than the clock when they were read, so that an event from the
        /// future does not move it ahead. A clock that is more than a day behind the events is not trusted.
        var reached: Int64 { event - received.wall > EventTimes.clockDisbelief ? event : min(event, received.wall) }
    }

    /// How late the feed's events are, in milliseconds.
    let delay: Int64
    private var marks: [EventKind: Mark] = [:]
    /// Whether the last event that was not late was ahead of the clock, so that the clock may be behind.
    private var wasAhead = true

    init(delay: Int64) { self.delay = delay }

    subscript(_ kind: EventKind) -> Mark? { marks[kind] }

    /// The present in the feed's own time, judged by the events. If an event was read late, its lateness is added, up
    /// to ten minutes.
    func presentTime(_ now: FeedMoment) -> Int64? {
        marks.values.map { mark in
            let late = min(max(0, mark.received.wall - delay - mark.event), 600_000)
            return mark.event + late + max(0, now.elapsed(since: mark.received))
        }.max()
    }

    /// Where the events would be by now if they had kept coming, judged by those that came.
    func feedTime(_ now: FeedMoment) -> Int64? {
        marks.values.map { $0.event + max(0, now.elapsed(since: $0.received)) }.max()
    }

    /// Whether the events show a clock that is behind.
    func showClockBehind(_ now: FeedMoment) -> Bool {
        feedTime(now).map { $0 - now.wall + delay > Self.clockTolerance } ?? false
    }

    /// Returns when a loss ended, in the events' own time, if its channel was confirmed at `stood` by the clock.
    ///
    /// The clock may have been set since the loss was noted. The time that passed on a clock that can't be set, and the
    /// times of the events, limit how far it is trusted.
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

    /// Whether only an event can show when a loss ended: by the clock, it ended before it began or implausibly late.
    func needsEvent(toEnd loss: LossLedger.Loss, noted: FeedMoment, _ now: FeedMoment) -> Bool {
        let shown = max(now.wall, noted.wall + now.elapsed(since: noted))
        let length = shown - delay - loss.from
        return length < 0 || length > Self.longestTrusted
    }

    /// How far the clock may be off without a gap's ends being called uncertain, in milliseconds.
    static let clockTolerance: Int64 = 5000
    /// How far the clock may be from the events before it is no longer trusted, in milliseconds.
    static let clockDisbelief: Int64 = 86_400_000
    /// The longest gap that is accepted by the clock alone, in milliseconds.
    private static let longestTrusted: Int64 = 7 * 86_400_000

    /// An event whose age is more than this, in milliseconds, does not show whether the clock is right.
    private static let longestAge: Int64 = 60_000

    mutating func took(_ batch: EventBatch, _ now: FeedMoment) {
        for head in batch.lastHeads {
            let before = marks[head.kind]
            var event = head.end
            let lead = event + delay - now.wall
            if lead > Self.clockTolerance {
                // A single event from the future must not move the mark ahead of all later events.
                if !wasAhead {
                    event = min(event, before.map { $0.event + now.elapsed(since: $0.received) } ?? now.wall - delay)
                }
                wasAhead = true
            } else if lead > -Self.longestAge {
                wasAhead = false
            }
            marks[head.kind] = Mark(event: max(before?.event ?? event, event), received: now)
        }
    }
}
