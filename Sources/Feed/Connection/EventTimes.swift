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

        /// Where a loss after this event begins: a clock that is behind, or an event from the future, makes it no later.
        /// A clock that is a day and more behind the events is not believed.
        var lossStart: Int64 { event - received.wall > 86_400_000 ? event : min(event, received.wall) }
    }

    private var marks: [EventKind: Mark] = [:]

    subscript(_ kind: EventKind) -> Mark? { marks[kind] }

    /// What the time is in the feed's own time, as far as the events tell; an event that was read late, some minutes at
    /// most, was late then already.
    func presentTime(_ now: FeedMoment, delay: Int64) -> Int64? {
        marks.values.map { mark in
            let late = min(max(0, mark.received.wall - delay - mark.event), 600_000)
            return mark.event + late + max(0, now.elapsed(since: mark.received))
        }.max()
    }

    /// Where the events would be now if all had come, as far as those that came show.
    func feedTime(_ now: FeedMoment) -> Int64? {
        marks.values.map { $0.event + max(0, now.elapsed(since: $0.received)) }.max()
    }

    /// Events were taken.
    mutating func took(_ batch: EventBatch, _ now: FeedMoment) {
        for head in batch.lastHeads {
            marks[head.kind] = Mark(event: max(marks[head.kind]?.event ?? head.end, head.end), received: now)
        }
    }
}
