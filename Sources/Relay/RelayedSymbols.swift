public import Collector
public import MarketData

/// What the relay asks about the symbols that are collected. Called on its event loop: nothing in here may block.
public protocol RelayedSymbols: Sendable {
    /// Why nothing comes of a channel that a reader asks for; `nil` when it is collected, or is from now on.
    func admit(_ channel: FeedChannel) -> String?

    /// Whether a channel is collected already; has nothing collected.
    func collects(_ channel: FeedChannel) -> Bool

    /// Gives up what was collected for readers and is read no more, and returns what goes on.
    func reviewDemand(isRead: (Symbol) -> Bool) -> DemandReview
}

extension Symbols: RelayedSymbols {}
