public import Collector
public import MarketData

/// What the relay asks about the symbols that are collected. Called on its event loop, so nothing here may block.
public protocol RelayedSymbols: Sendable {
    /// Returns why some of the channels that a reader asks for deliver nothing; the others are collected already, or
    /// from now on.
    func admit(_ channels: [FeedChannel]) -> [FeedChannel: String]

    /// Returns since when a symbol's events of a kind have been collected, in milliseconds since the Unix epoch and in
    /// the events' own time: `Int64.min` if no time before is known in which they were not, `nil` if they are not
    /// collected. What was missed since then is recorded as gaps. Does not start collecting them.
    func collectedSince(_ kind: EventKind, of symbol: Symbol) -> Int64?

    /// Returns the same for many channels in one step, without those that are not collected and those of every symbol.
    func collectedSince(_ channels: [FeedChannel]) -> [FeedChannel: Int64]

    /// Returns those of some symbols that nobody asks for any more, so that they are not collected.
    func unwanted(among symbols: some Collection<Symbol> & Sendable) -> [Symbol]

    /// The time of the events that come now, in milliseconds since the Unix epoch.
    var present: Int64 { get }

    /// Gives up what was collected for readers but is no longer read, and returns what continues.
    func reviewDemand(isRead: (Symbol) -> Bool) -> DemandReview
}

extension Symbols: RelayedSymbols {}
