extension Imbalance: MarketEvent {
    /// The columns of `imbalances`.
    public static let columns: [EventColumn<Imbalance>] = [
        EventColumn("symbol", .symbol(\.symbol), feed: "T", upstream: [.to([.required, .identity])], "the ticker"),
        EventColumn(
            "time_ms", .moment(\.time), feed: "t", upstream: [.to("time", [.required, .identity])], "when it was so"),
        EventColumn(
            "time_ns", .nanoseconds(\.timeNanoseconds), feed: "t", upstream: [.to()],
            "the same in nanoseconds, where the feed sent those"),
        EventColumn(
            "auction_time", .small(\.auctionTime), isBrief: true, feed: "at", upstream: [.to(.identity)],
            "when the auction is planned, as hours and minutes in New York: 1600"),
        EventColumn(
            "auction_type", .text(\.auctionType), isBrief: true, feed: "a", upstream: [.to(.identity)],
            "the kind of auction: O early opening, M core opening, H reopening, C closing, P and R closing imbalances"),
        EventColumn(
            "sequence", .whole(\.sequence), feed: "i", upstream: [.to(.identity)], "the order of events of one ticker"),
        EventColumn("exchange", .small(\.exchange), feed: "x", upstream: [.to(.identity)], "the exchange's number"),
        EventColumn(
            "imbalance", .optionalQuantity(\.imbalance), isBrief: true, feed: "o", upstream: [.to(.required)],
            "shares without a counterpart"),
        EventColumn(
            "paired", .optionalQuantity(\.paired), isBrief: true, feed: "p", upstream: [.to()],
            "shares with a counterpart"),
        EventColumn(
            "clearing_price", .optionalPrice(\.clearingPrice), isBrief: true, feed: "b", upstream: [.to()],
            "the price at which the book would clear"),
    ]

    /// An event without an auction.
    public init(symbol: Symbol, time: Int64) { self.init(symbol: symbol, time: time, timeNanoseconds: nil) }

    /// `NOI`.
    @inlinable public var kind: EventKind { .imbalance }

    /// The same as an event of any stream.
    public var any: AnyMarketEvent { .imbalance(self) }
}
