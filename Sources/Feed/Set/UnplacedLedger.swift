import MarketData

/// Remembers since when symbols have had no room on any connection, until they have room or nobody wants them. Pure.
///
/// A symbol without room is not collected, so it has a gap like any other, recorded from when it begins.
struct UnplacedLedger: Sendable {
    /// The symbols without room, as last recorded.
    private(set) var symbols: Set<Symbol> = []
    private var losses = LossLedger()
    private var hasBegun = false

    /// Records which symbols have no room now.
    ///
    /// Symbols without room from the start were also missed before that, while no collector ran.
    ///
    /// - Parameter overdue: symbols that were wanted from the start too, but that nobody could name until now.
    /// - Returns: the gaps to record: those that are over, and those that began.
    mutating func note(
        _ unplaced: [Symbol], overdue: Set<Symbol> = [], _ now: FeedMoment, _ configuration: FeedConfiguration
    ) -> GapChange? {
        let begin = now.wall - configuration.feedDelay - Gap.eventLateness
        let end = now.wall - configuration.feedDelay + Gap.endMargin
        let homeless = Set(unplaced)
        let placed = symbols.subtracting(homeless)
        let new = homeless.subtracting(symbols)
        let old = hasBegun ? new.intersection(overdue) : new
        hasBegun = true
        let life = old.isEmpty ? nil : configuration.previousLife
        let ends = life?.ends(delay: configuration.feedDelay)
        for symbol in new {
            let isOld = old.contains(symbol)
            for kind in configuration.events {
                let missed = isOld ? ends?.missedSince(kind, symbol) ?? begin : begin
                losses.lost(
                    FeedChannel(kind: kind, symbol: symbol), from: min(missed, begin), cause: .unsubscribed, now,
                    isUncertain: isOld && life?.isUncertain ?? false)
            }
        }
        symbols = homeless
        let over = losses.channels.filter { channel in channel.symbol.map(placed.contains) ?? false }
        let ended = losses.ended(over, connection: configuration.name) { _, loss, _ in
            .init(time: max(loss.from, end))
        }
        return losses.change(ended, connection: configuration.name)
    }
}
