import Feed
import MarketData

/// A kind of event that can't be used as the feed sends it.
struct DecodeProblem: Sendable, Equatable {
    /// The kind; `nil` for messages that name none.
    var kind: EventKind?
    /// What came within 30 s.
    var counts: DecodeCounts
    /// What such an event looks like, with secrets masked.
    var sample: String?
}

/// What came of a kind of event.
struct DecodeCounts: Sendable, Equatable {
    /// The number of events taken; of all kinds if it is about messages that name none.
    var taken: Int64 = 0
    /// Events that were lost.
    var rejected: Int64 = 0
    /// Fields that were left out of events.
    var leftOutFields: Int64 = 0

    var isNegative: Bool { taken < 0 || rejected < 0 || leftOutFields < 0 }

    static func - (left: Self, right: Self) -> Self {
        Self(
            taken: left.taken - right.taken, rejected: left.rejected - right.rejected,
            leftOutFields: left.leftOutFields - right.leftOutFields)
    }
}

/// Detects that a kind of event can't be decoded, from the counts of all connections. Reads no clock.
///
/// A problem begins when more than one in a hundred events of a kind within ``span`` can't be used, or all of them
/// within ``shortSpan``. It ends when events of the kind arrive and can be used: bars come once a minute, and a pause
/// between two minutes is no improvement. It also ends when none was lost for ``memory``.
struct DecodeWatch: Sendable {
    /// The period over which the share is measured, in seconds.
    static let span = 30.0
    /// The period within which the loss of all events of a kind is noticed, in seconds.
    static let shortSpan = 10.0
    /// How long a problem lasts while no event of the kind comes at all, in seconds.
    static let memory = 600.0

    /// Counts in the order of `DecodeRejects.kinds`, oldest first. The first sample is from the start of the span or
    /// before.
    private var samples: [(time: ContinuousClock.Instant, counts: [DecodeCounts])] = []
    private var current: [EventKind?: (problem: DecodeProblem, lastLoss: ContinuousClock.Instant)] = [:]

    /// Returns the present problems, given all counts so far.
    mutating func problems(_ connections: [ConnectionState], now: ContinuousClock.Instant) -> [DecodeProblem] {
        let counts = DecodeRejects.kinds.map { Self.counts(of: $0, connections) }
        // Counts fall when a connection is removed.
        if let last = samples.last, zip(counts, last.counts).contains(where: { ($0 - $1).isNegative }) {
            samples = [(now, counts)]
        }
        if samples.isEmpty { samples = [(now, counts.map { _ in DecodeCounts() })] }
        samples.append((now, counts))
        while samples.count > 2, (now - samples[1].time).inSeconds >= Self.span { samples.removeFirst() }
        let short = samples.last { (now - $0.time).inSeconds >= Self.shortSpan } ?? samples[0]
        for (place, kind) in DecodeRejects.kinds.enumerated() {
            judge(
                kind, long: counts[place] - samples[0].counts[place], short: counts[place] - short.counts[place],
                sample: connections.lazy.compactMap { $0.feed.rejects.sample(of: kind) }.first, now: now)
        }
        return DecodeRejects.kinds.compactMap { current[$0]?.problem }
    }

    private mutating func judge(
        _ kind: EventKind?, long: DecodeCounts, short: DecodeCounts, sample: String?, now: ContinuousClock.Instant
    ) {
        let isLost =
            long.rejected * 100 > long.taken + long.rejected || short.rejected > 0 && short.taken == 0
            || long.leftOutFields * 100 > long.taken
        if isLost {
            current[kind] = (DecodeProblem(kind: kind, counts: long, sample: sample), now)
        } else if let known = current[kind], long.taken > 0 || (now - known.lastLoss).inSeconds > Self.memory {
            current[kind] = nil
        }
    }

    private static func counts(of kind: EventKind?, _ connections: [ConnectionState]) -> DecodeCounts {
        connections.reduce(into: DecodeCounts()) { counts, connection in
            counts.taken += kind.map { connection.feed.events[$0] ?? 0 } ?? connection.messageCount
            counts.rejected += Int64(connection.feed.rejects.events[kind])
            counts.leftOutFields += Int64(connection.feed.rejects.fields[kind])
        }
    }
}
