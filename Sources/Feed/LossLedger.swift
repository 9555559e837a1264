import MarketData

/// Remembers which channels do not stand, since when and why, until they stand again.
///
/// Every loss becomes part of exactly one gap: when the channel stands again, when it is no longer wanted, or when the
/// connection stops for good.
struct LossLedger: Sendable {
    private struct Loss: Hashable {
        var from: Int64
        var cause: Gap.Cause
    }

    private var losses: [FeedChannel: Loss] = [:]

    /// Whether nothing is lost.
    var isEmpty: Bool { losses.isEmpty }

    /// Notes a loss since `from`, in milliseconds since the Unix epoch; an earlier loss of the channel goes on.
    mutating func lost(_ channel: FeedChannel, from: Int64, cause: Gap.Cause) {
        if losses[channel] == nil { losses[channel] = Loss(from: from, cause: cause) }
    }

    /// Whether the channel is lost.
    func contains(_ channel: FeedChannel) -> Bool { losses[channel] != nil }

    /// Ends the losses of some channels, each at its time, and makes as few gaps of them as their spans allow.
    ///
    /// Channels that were lost together make one gap that ends when the last of them stood; symbols with the same
    /// kinds of events share it. Sorted by start, then symbols.
    mutating func ended(
        _ channels: some Sequence<FeedChannel>, connection: String, at time: (FeedChannel) -> Int64
    ) -> [Gap] {
        var kinds: [Loss: [Symbol?: Set<EventKind>]] = [:]
        var ends: [Loss: Int64] = [:]
        for channel in channels {
            guard let loss = losses.removeValue(forKey: channel) else { continue }
            kinds[loss, default: [:]][channel.symbol, default: []].insert(channel.kind)
            ends[loss] = max(ends[loss] ?? loss.from, time(channel))
        }
        var gaps: [Gap] = []
        for (loss, symbols) in kinds {
            for (events, members) in Dictionary(grouping: symbols.keys, by: { symbols[$0] ?? [] }) {
                let named = members.compactMap { $0 }.sorted()
                // A wildcard's gap names no symbol, so it never shares one with named symbols.
                for list in members.contains(nil) ? (named.isEmpty ? [[]] : [[], named]) : [named] {
                    gaps.append(
                        Gap(
                            connection: connection, symbols: list,
                            events: EventKind.allCases.filter(events.contains), from: loss.from,
                            to: ends[loss] ?? loss.from, cause: loss.cause))
                }
            }
        }
        return gaps.sorted {
            ($0.from, $0.symbols.first?.description ?? "") < ($1.from, $1.symbols.first?.description ?? "")
        }
    }

    /// Ends every loss now.
    mutating func endAll(connection: String, at time: Int64) -> [Gap] {
        ended(Array(losses.keys), connection: connection) { _ in time }
    }
}
