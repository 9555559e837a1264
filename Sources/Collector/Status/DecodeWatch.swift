import Feed
import MarketData

/// A kind of event that the feed sends in a form that can't be decoded, or not in full.
struct DecodeProblem: Sendable, Equatable {
    /// What can't be decoded.
    enum Subject: Sendable, Hashable {
        /// Events of a kind.
        case kind(EventKind)
        /// Events of a kind that the decoder doesn't know.
        case unknownKind
        /// Messages that name no kind.
        case noKind

        static let all = EventKind.allCases.map(Self.kind) + [.unknownKind, .noKind]
    }

    /// What can't be decoded.
    var subject: Subject
    /// The counts of the last 30 s.
    var counts: DecodeCounts
    /// An example of such an event, with secrets masked.
    var sample: String?
}

/// The counts of a kind of event.
struct DecodeCounts: Sendable, Equatable {
    /// The number of events taken; of all kinds if it is about messages that name none; none of an unknown kind.
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
/// A problem begins when more than one in a hundred events of a kind within ``span`` can't be decoded or lack a field, or
/// when all of them within ``shortSpan`` can't be decoded. It ends when events of the kind arrive and can be decoded: bars
/// come once a minute, and a pause between two minutes is no improvement. It also ends when none was lost for ``memory``.
///
/// Any event of an unknown kind is a problem, however many others come: only known kinds are subscribed to, so it is
/// probably one of them under a new name.
struct DecodeWatch: Sendable {
    /// The period over which the share is measured, in seconds.
    static let span = 30.0
    /// The period within which the loss of all events of a kind is noticed, in seconds.
    static let shortSpan = 10.0
    /// How long a problem lasts while no event of the kind comes at all, in seconds.
    static let memory = 600.0

    /// Counts in the order of ``DecodeProblem/Subject/all``, oldest first. The first sample is from the start of the
    /// span or before.
    private var samples: [(time: ContinuousClock.Instant, counts: [DecodeCounts])] = []
    private var current: [DecodeProblem.Subject: (problem: DecodeProblem, lastLoss: ContinuousClock.Instant)] = [:]

    /// Returns the present problems, given all counts so far.
    mutating func problems(_ connections: [ConnectionState], now: ContinuousClock.Instant) -> [DecodeProblem] {
        let counts = DecodeProblem.Subject.all.map { Self.counts(of: $0, connections) }
        // Counts fall when a connection is removed.
        if let last = samples.last, zip(counts, last.counts).contains(where: { ($0 - $1).isNegative }) {
            samples = [(now, counts)]
        }
        if samples.isEmpty { samples = [(now, counts.map { _ in DecodeCounts() })] }
        samples.append((now, counts))
        while samples.count > 2, (now - samples[1].time).inSeconds >= Self.span { samples.removeFirst() }
        let short = samples.last { (now - $0.time).inSeconds >= Self.shortSpan } ?? samples[0]
        for (place, subject) in DecodeProblem.Subject.all.enumerated() {
            judge(
                subject, long: counts[place] - samples[0].counts[place], short: counts[place] - short.counts[place],
                sample: connections.lazy.compactMap { $0.feed.rejects.sample(of: subject) }.first, now: now)
        }
        return DecodeProblem.Subject.all.compactMap { current[$0]?.problem }
    }

    private mutating func judge(
        _ subject: DecodeProblem.Subject, long: DecodeCounts, short: DecodeCounts, sample: String?,
        now: ContinuousClock.Instant
    ) {
        let isLost =
            long.rejected * 100 > long.taken + long.rejected || short.rejected > 0 && short.taken == 0
            || long.leftOutFields * 100 > long.taken
        if isLost {
            current[subject] = (DecodeProblem(subject: subject, counts: long, sample: sample), now)
        } else if let known = current[subject], long.taken > 0 || (now - known.lastLoss).inSeconds > Self.memory {
            current[subject] = nil
        }
    }

    private static func counts(of subject: DecodeProblem.Subject, _ connections: [ConnectionState]) -> DecodeCounts {
        connections.reduce(into: DecodeCounts()) { counts, connection in
            let rejects = connection.feed.rejects
            switch subject {
            case .kind(let kind):
                counts.taken += connection.feed.events[kind] ?? 0
                counts.rejected += Int64(rejects.events[kind])
                counts.leftOutFields += Int64(rejects.fields[kind])
            case .unknownKind:
                counts.rejected += Int64(rejects[.unknownEvent])
            case .noKind:
                counts.taken += connection.messageCount
                counts.rejected += Int64(rejects.events[nil] - rejects[.unknownEvent])
                counts.leftOutFields += Int64(rejects.fields[nil])
            }
        }
    }
}

extension DecodeRejects {
    /// An example of what can't be decoded, with secrets masked.
    fileprivate func sample(of subject: DecodeProblem.Subject) -> String? {
        switch subject {
        case .kind(let kind): sample(of: kind)
        case .unknownKind: sample(of: nil).flatMap { $0.hasPrefix(Reason.unknownEvent.rawValue) ? $0 : nil }
        case .noKind: sample(of: nil).flatMap { $0.hasPrefix(Reason.unknownEvent.rawValue) ? nil : $0 }
        }
    }
}
