import MarketData

/// Remembers which channels do not stand, since when and why, until they stand again.
///
/// Every loss is recorded twice: when it begins, as a gap without an end, so that a kill doesn't make it forgotten; and
/// when it is over, which is when the channel stands again, when it is no longer wanted, or when the connection stops for
/// good.
struct LossLedger: Sendable {
    /// Why and since when a channel is lost.
    struct Loss: Hashable {
        var from: Int64
        var cause: Gap.Cause
        /// Whether the clock was wrong already.
        var isUncertain = false
    }

    private struct Entry {
        var loss: Loss
        var noted: FeedMoment
    }

    /// When a loss is over.
    struct End {
        var time: Int64
        var isUncertain = false
    }

    private var losses: [FeedChannel: Entry] = [:]
    /// What was recorded without an end.
    private var open: Set<Gap> = []
    private var isRecorded = true

    var channels: [FeedChannel] { Array(losses.keys) }

    /// Whether nothing is lost.
    var isEmpty: Bool { losses.isEmpty }

    /// Notes a loss since `from`, in milliseconds since the Unix epoch; an earlier loss of the channel goes on.
    mutating func lost(
        _ channel: FeedChannel, from: Int64, cause: Gap.Cause, _ now: FeedMoment, isUncertain: Bool = false
    ) {
        guard losses[channel] == nil else { return }
        losses[channel] = Entry(loss: Loss(from: from, cause: cause, isUncertain: isUncertain), noted: now)
        isRecorded = false
    }

    func contains(_ channel: FeedChannel) -> Bool { losses[channel] != nil }

    /// Whether a channel's loss meets a condition; `false` for one that is not lost.
    func contains(_ channel: FeedChannel, where isMet: (Loss, FeedMoment) -> Bool) -> Bool {
        losses[channel].map { isMet($0.loss, $0.noted) } ?? false
    }

    /// Ends the losses of some channels, each at its time, and makes as few gaps of them as their spans allow.
    ///
    /// Channels that were lost together make one gap that ends when the last of them stood; symbols with the same
    /// kinds of events share it. Sorted by start, then symbols.
    mutating func ended(
        _ channels: some Sequence<FeedChannel>, connection: String, at end: (FeedChannel, Loss, FeedMoment) -> End
    ) -> [Gap] {
        var members: [Loss: [FeedChannel]] = [:]
        var ends: [Loss: End] = [:]
        for channel in channels {
            guard let entry = losses.removeValue(forKey: channel) else { continue }
            let loss = entry.loss
            members[loss, default: []].append(channel)
            let end = end(channel, loss, entry.noted)
            ends[loss, default: end].time = max(ends[loss]?.time ?? loss.from, end.time, loss.from)
            if end.isUncertain { ends[loss]?.isUncertain = true }
            isRecorded = false
        }
        return LossLedger.gaps(members, connection: connection) { ends[$0] }
    }

    /// What is to be recorded, so that the record says what is so: `ended` gaps, and the losses under way.
    ///
    /// - Returns: `nil` when the record says so already.
    mutating func change(_ ended: [Gap], connection: String) -> GapChange? {
        guard !isRecorded || !ended.isEmpty else { return nil }
        isRecorded = true
        let members = Dictionary(grouping: losses) { $0.value.loss }.mapValues { $0.map(\.key) }
        let now = LossLedger.gaps(members, connection: connection) { _ in nil }
        let change = GapChange(
            ended: LossLedger.sorted(open.subtracting(now)), gaps: ended + now.filter { !open.contains($0) })
        open = Set(now)
        return change.ended.isEmpty && change.gaps.isEmpty ? nil : change
    }

    private static func gaps(
        _ members: [Loss: [FeedChannel]], connection: String, end: (Loss) -> End?
    ) -> [Gap] {
        var gaps: [Gap] = []
        for (loss, channels) in members {
            var kinds: [Symbol?: Set<EventKind>] = [:]
            for channel in channels { kinds[channel.symbol, default: []].insert(channel.kind) }
            let end = end(loss)
            for (events, members) in Dictionary(grouping: kinds.keys, by: { kinds[$0] ?? [] }) {
                let named = members.compactMap { $0 }.sorted()
                // A wildcard's gap names no symbol, so it never shares one with named symbols.
                for list in members.contains(nil) ? (named.isEmpty ? [[]] : [[], named]) : [named] {
                    gaps.append(
                        Gap(
                            connection: connection, symbols: list,
                            events: EventKind.allCases.filter(events.contains), from: loss.from, to: end?.time,
                            cause: loss.cause, isUncertain: loss.isUncertain || end?.isUncertain ?? false))
                }
            }
        }
        return sorted(gaps)
    }

    private static func sorted(_ gaps: some Sequence<Gap>) -> [Gap] {
        gaps.sorted {
            ($0.from, $0.symbols.first?.description ?? "", $0.events.first?.rawValue ?? "")
                < ($1.from, $1.symbols.first?.description ?? "", $1.events.first?.rawValue ?? "")
        }
    }
}
