extension Trade: MarketEvent {
    /// The columns of `trades`.
    public static let columns: [EventColumn<Trade>] = [
        EventColumn("symbol", .symbol(\.symbol), feed: "sym", upstream: [.to([.required, .identity])], "the ticker"),
        EventColumn(
            "time_ms", .moment(\.time), feed: "t", upstream: [.to("time", [.required, .identity])],
            "when the trade happened"),
        EventColumn(
            "price", .price(\.price), isBrief: true, feed: "p", upstream: [.to([.required, .lookedUp])], "the price"),
        EventColumn(
            "size", .quantity(\.size), isBrief: true, feed: "ds", "s", upstream: [.to([.required, .lookedUp])],
            "shares traded"),
        EventColumn("exchange", .small(\.exchange), feed: "x", upstream: [.to(.identity)], "the exchange's number"),
        EventColumn("tape", .small(\.tape), feed: "z", upstream: [.to()], "1 NYSE, 2 NYSE Arca and regional, 3 NASDAQ"),
        EventColumn(
            "trade_id", .text(\.tradeID), feed: "i", upstream: [.to(.identity)],
            "the trade's identifier on its exchange"),
        EventColumn("conditions", .list(\.conditions), feed: "c", upstream: [.to()], "the sale conditions' numbers"),
        EventColumn(
            "sequence", .whole(\.sequence), feed: "q", upstream: [.to(.identity)], "the order of events of one ticker"),
        EventColumn(
            "trf_id", .small(\.trfID), feed: "trfi", upstream: [.to()], "the trade reporting facility's number"),
        EventColumn(
            "trf_time_ms", .optionalMoment(\.trfTime), feed: "trft", upstream: [.to("trf_time")],
            "when the trade reporting facility received it"),
        EventColumn(
            "participant_time_ms", .optionalMoment(\.participantTime), since: 9, feed: "pt",
            upstream: [.to("participant_time")], "when the exchange or reporting facility made it"),
    ]

    /// A trade without price and size.
    public init(symbol: Symbol, time: Int64) { self.init(symbol: symbol, time: time, price: .nan, size: .nan) }

    /// `T`.
    @inlinable public var kind: EventKind { .trade }

    /// The trade as an event of any stream.
    public var any: AnyMarketEvent { .trade(self) }
}
