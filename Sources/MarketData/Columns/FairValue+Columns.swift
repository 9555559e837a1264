extension FairValue: MarketEvent {
    /// The columns of `fair_values`.
    public static let columns: [EventColumn<FairValue>] = [
        EventColumn("symbol", .symbol(\.symbol), feed: "sym", upstream: [.to([.required, .identity])], "the ticker"),
        EventColumn(
            "time_ms", .moment(\.time), feed: "t", upstream: [.to("time", [.required, .identity])], "when it was so"),
        EventColumn(
            "time_ns", .nanoseconds(\.timeNanoseconds), feed: "t", upstream: [.to()],
            "the same in nanoseconds, where the feed sent those"),
        EventColumn(
            "fair_value", .price(\.value), isBrief: true, feed: "fmv", upstream: [.to([.required, .identity])],
            "the provider's estimate"),
    ]

    /// An event without a value.
    public init(symbol: Symbol, time: Int64) {
        self.init(symbol: symbol, time: time, timeNanoseconds: nil, value: .nan)
    }

    /// `FMV`.
    @inlinable public var kind: EventKind { .fairValue }

    /// The same as an event of any stream.
    public var any: AnyMarketEvent { .fairValue(self) }
}
