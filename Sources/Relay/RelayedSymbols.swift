public import Collector
public import MarketData

/// What the relay asks about the symbols that are collected. Called on its event loop: nothing in here may block.
public protocol RelayedSymbols: Sendable {
    /// Why nothing comes of channels that a reader asks for; the others are collected, or are from now on.
    func admit(_ channels: [FeedChannel]) -> [FeedChannel: String]

    /// Whether a channel is collected already; has nothing collected.
    func collects(_ channel: FeedChannel) -> Bool

    /// Gives up what was collected for readers and is read no more, and returns what goes on.
    func reviewDemand(isRead: (Symbol) -> Bool) -> DemandReview
}

extension Symbols: RelayedSymbols {}
