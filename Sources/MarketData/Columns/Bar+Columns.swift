extension Bar: MarketEvent {
    /// The columns of `bars`.
    public static let columns: [EventColumn<Bar>] = [
        EventColumn("interval_s", .interval(\.interval), "the bar's length: 60 (AM) or 1 (A)"),
        EventColumn("symbol", .symbol(\.symbol), feed: "sym", upstream: [.to([.required, .key])], "the ticker"),
        EventColumn(
            "start_ms", .moment(\.start), feed: "s",
            upstream: [.to("timestamp", [.required, .key]), .to(as: .whole, .compared)], "the window's start"),
        EventColumn(
            "end_ms", .moment(\.end), feed: "e", follows: "start_ms", upstream: [.to(as: .whole, .compared)],
            "the window's end"),
        EventColumn(
            "open", .price(\.open), isBrief: true, feed: "o", upstream: [.to([.required, .compared])],
            "first price in the window"),
        EventColumn(
            "high", .price(\.high), isBrief: true, feed: "h", upstream: [.to([.required, .compared])],
            "highest price in the window"),
        EventColumn(
            "low", .price(\.low), isBrief: true, feed: "l", upstream: [.to([.required, .compared])],
            "lowest price in the window"),
        EventColumn(
            "close", .price(\.close), isBrief: true, feed: "c", upstream: [.to([.required, .compared])],
            "last price in the window"),
        EventColumn(
            "volume", .quantity(\.volume), isBrief: true, feed: "dv", "v",
            upstream: [.to([.required, .compared]), .to("decimal_volume", .compared)],
            "shares traded in the window; upstream rounded, and exact in decimal_volume"),
        EventColumn(
            "vwap", .optionalPrice(\.vwap), feed: "vw", upstream: [.to([.compared, .streamOnly])],
            "volume-weighted average price of the window"),
        EventColumn(
            "day_volume", .optionalQuantity(\.dayVolume), feed: "dav", "av",
            upstream: [.to([.compared, .streamOnly])], "shares traded today"),
        EventColumn(
            "day_open", .optionalPrice(\.dayOpen), feed: "op", upstream: [.to([.compared, .streamOnly])],
            "today's official opening price"),
        EventColumn(
            "day_vwap", .optionalPrice(\.dayVWAP), feed: "a", upstream: [.to([.compared, .streamOnly])],
            "today's volume-weighted average price"),
        EventColumn(
            "average_size", .optionalQuantity(\.averageSize), feed: "z", upstream: [.to([.compared, .streamOnly])],
            "average trade size in the window, in shares"),
        EventColumn(
            "otc", .flag(\.isOTC), feed: "otc", upstream: [.to([.compared, .streamOnly])],
            "whether the ticker trades over the counter"),
    ]

    /// A minute bar without prices.
    public init(symbol: Symbol, time: Int64) {
        self.init(
            symbol: symbol, interval: .minute, start: time, end: time, open: .nan, high: .nan, low: .nan, close: .nan,
            volume: .nan)
    }

    /// `AM` or `A`, by the bar's length.
    @inlinable public var kind: EventKind { EventKind(interval) }
    /// The window's start.
    @inlinable public var time: Int64 { start }

    /// The bar as an event of any stream.
    public var any: AnyMarketEvent { .bar(self) }
}
