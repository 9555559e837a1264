extension Quote: MarketEvent {
    /// The columns of `quotes`.
    public static let columns: [EventColumn<Quote>] = [
        EventColumn("symbol", .symbol(\.symbol), feed: "sym", upstream: [.to([.required, .identity])], "the ticker"),
        EventColumn(
            "time_ms", .moment(\.time), feed: "t", upstream: [.to("time", [.required, .identity])],
            "when the quote was made"),
        EventColumn(
            "bid", .optionalPrice(\.bid), isBrief: true, feed: "bp", upstream: [.to([.required, .identity])],
            "the bid price"),
        EventColumn(
            "bid_size", .optionalQuantity(\.bidSize), isBrief: true, feed: "bs", upstream: [.to(.identity)],
            "shares bid for"),
        EventColumn(
            "bid_exchange", .small(\.bidExchange), feed: "bx", upstream: [.to(.identity)], "the bid exchange's number"),
        EventColumn(
            "ask", .optionalPrice(\.ask), isBrief: true, feed: "ap", upstream: [.to([.required, .identity])],
            "the ask price"),
        EventColumn(
            "ask_size", .optionalQuantity(\.askSize), isBrief: true, feed: "as", upstream: [.to(.identity)],
            "shares offered"),
        EventColumn(
            "ask_exchange", .small(\.askExchange), feed: "ax", upstream: [.to(.identity)], "the ask exchange's number"),
        EventColumn("condition", .small(\.condition), feed: "c", upstream: [.to()], "the quote condition's number"),
        EventColumn("indicators", .list(\.indicators), feed: "i", upstream: [.to()], "the indicators' numbers"),
        EventColumn("tape", .small(\.tape), feed: "z", upstream: [.to()], "1 NYSE, 2 NYSE Arca and regional, 3 NASDAQ"),
        EventColumn(
            "sequence", .whole(\.sequence), feed: "q", upstream: [.to(.identity)], "the order of events of one ticker"),
        EventColumn(
            "participant_time_ms", .optionalMoment(\.participantTime), since: 9, feed: "pt",
            upstream: [.to("participant_time")], "when the exchange made it"),
    ]

    /// A quote without sides.
    public init(symbol: Symbol, time: Int64) { self.init(symbol: symbol, time: time, bid: nil) }

    /// `Q`.
    @inlinable public var kind: EventKind { .quote }

    /// The quote as an event of any stream.
    public var any: AnyMarketEvent { .quote(self) }
}
