extension LimitBand: MarketEvent {
    /// The columns of `luld`.
    public static let columns: [EventColumn<LimitBand>] = [
        EventColumn("symbol", .symbol(\.symbol), feed: "T", upstream: [.to([.required, .identity])], "the ticker"),
        EventColumn(
            "time_ms", .moment(\.time), feed: "t", upstream: [.to("time", [.required, .identity])], "when it was so"),
        EventColumn(
            "time_ns", .nanoseconds(\.timeNanoseconds), feed: "t", upstream: [.to()],
            "the same in nanoseconds, where the feed sent those"),
        EventColumn(
            "high_band", .optionalPrice(\.high), isBrief: true, feed: "h", upstream: [.to([.required, .identity])],
            "the upper price band"),
        EventColumn(
            "low_band", .optionalPrice(\.low), isBrief: true, feed: "l", upstream: [.to([.required, .identity])],
            "the lower price band"),
        EventColumn(
            "indicators", .list(\.indicators), isBrief: true, feed: "i", upstream: [.to(.identity)],
            "the indicators' numbers; 17 is a halt, 18 its end"),
        EventColumn("tape", .small(\.tape), feed: "z", upstream: [.to()], "1 NYSE, 2 NYSE Arca and regional, 3 NASDAQ"),
        EventColumn(
            "sequence", .whole(\.sequence), feed: "q", upstream: [.to(.identity)], "the order of events of one ticker"),
    ]

    /// An event without bands.
    public init(symbol: Symbol, time: Int64) { self.init(symbol: symbol, time: time, timeNanoseconds: nil) }

    /// `LULD`.
    @inlinable public var kind: EventKind { .limitBand }

    /// The same as an event of any stream.
    public var any: AnyMarketEvent { .limitBand(self) }
}
