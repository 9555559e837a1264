public import Collector
public import MarketData

/// What the relay asks about the symbols that are collected. Called on its event loop, so nothing here may block.
public protocol RelayedSymbols: Sendable {
    /// Returns why some of the channels that a reader asks for deliver nothing; the others are collected already, or
    /// from now on.
    func admit(_ channels: [FeedChannel]) -> [FeedChannel: String]

    /// Whether a channel is collected already; does not start collecting it.
    func collects(_ channel: FeedChannel) -> Bool

    /// Gives up what was collected for readers but is no longer read, and returns what continues.
    func reviewDemand(isRead: (Symbol) -> Bool) -> DemandReview
}

extension Symbols: RelayedSymbols {}
