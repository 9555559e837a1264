import MarketData

/// Remembers which channels are lost, since when and why, until the loss is over.
///
/// Every loss is recorded twice. When it begins, it is recorded as a gap without an end, so that it is not forgotten if
/// the process is killed. When it is over, it is recorded with its end.
struct LossLedger: Sendable {
    /// Why and since when a channel is lost.
    struct Loss: Hashable {
        var from: Int64
        var cause: Gap.Cause
        /// Whether the clock was already wrong at the start.
        var isUncertain = false
    }

    private struct Entry {
        var loss: Loss
        var noted: FeedMoment
    }

    /// The end of a loss.
    struct End {
        var time: Int64
        var isUncertain = false
    }

    private var losses: [FeedChannel: Entry] = [:]
    /// The gaps that were recorded without an end.
    private var open: Set<Gap> = []
    private var isRecorded = true

    var channels: [FeedChannel] { Array(losses.keys) }

    var isEmpty: Bool { losses.isEmpty }

    /// Records a loss since `from`, in milliseconds since the Unix epoch, unless the channel is lost already.
    mutating func lost(
        _ channel: FeedChannel, from: Int64, cause: Gap.Cause, _ now: FeedMoment, isUncertain: Bool = false
    ) {
        guard losses[channel] == nil else { return }
        losses[channel] = Entry(loss: Loss(from: from, cause: cause, isUncertain: isUncertain), noted: now)
        isRecorded = false
    }

    /// Records channels as missed since the previous collector of a file.
    ///
    /// - Parameter delay: how late the feed's events are, in milliseconds.
    mutating func lostSince(_ life: PreviousLife, _ channels: [FeedChannel], delay: Int64, _ now: FeedMoment) {
        guard !channels.isEmpty else { return }
        let ends = life.ends(delay: delay)
        for channel in channels {
            let start = ends.missedSince(channel.kind, channel.symbol)
            lost(channel, from: start, cause: .down, now, isUncertain: life.isUncertain)
        }
    }

    func contains(_ channel: FeedChannel) -> Bool { losses[channel] != nil }

    /// Whether a channel's loss meets a condition; `false` for one that is not lost.
    func contains(_ channel: FeedChannel, where isMet: (Loss, FeedMoment) -> Bool) -> Bool {
        losses[channel].map { isMet($0.loss, $0.noted) } ?? false
    }

    /// Ends the losses of some channels, each at its own time, and combines them into as few gaps as their spans allow.
    ///
    /// Channels that were lost together make one gap, which ends with the last of their losses; symbols with the same
    /// kinds of events share it. The gaps are sorted by start, then symbols.
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

    /// Returns what must be recorded, the `ended` gaps and the losses under way; `nil` if the record is up to date.
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
