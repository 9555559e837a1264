public import MarketData

/// A market generated as a random walk: quotes around a price, trades near the quotes, and the bars of these trades.
///
/// With a given ``start``, the events depend only on the properties, on every machine.
public struct SyntheticFeed: Sendable, Equatable {
    /// The tickers.
    public var symbols: [Symbol]
    /// The kinds that are sent; bars are made from the trades even if the trades aren't sent.
    var kinds: Set<EventKind>
    /// Chooses one of the possible markets.
    var seed: UInt64
    /// The average number of trades per second and ticker.
    var tradesPerSecond: Double
    /// The number of quotes before each trade.
    var quotesPerTrade: Int
    /// When the market starts, in milliseconds since the Unix epoch; `nil` means when the replay starts.
    public var start: Int64?
    /// How long the market lasts, in whole seconds; `nil` means without end. An incomplete minute at the end has no
    /// minute bar.
    public var duration: Duration?
    /// How many trades in a million are of fractional shares (`ds`, and therefore `dv` and `dav`).
    var fractionalTradesPerMillion: Int
    /// How many trades, quotes and bars in a million carry a field that receivers don't know.
    var novelFieldsPerMillion: Int

    /// Makes a market; see the properties for meaning.
    public init(
        symbols: [Symbol], kinds: Set<EventKind> = [.minuteBar, .secondBar, .trade, .quote], seed: UInt64 = 1,
        tradesPerSecond: Double = 1, quotesPerTrade: Int = 3, start: Int64? = nil, duration: Duration? = nil,
        fractionalTradesPerMillion: Int = 50_000, novelFieldsPerMillion: Int = 10_000
    ) {
        self.symbols = symbols
        self.kinds = kinds
        self.seed = seed
        self.tradesPerSecond = tradesPerSecond
        self.quotesPerTrade = quotesPerTrade
        self.start = start
        self.duration = duration
        self.fractionalTradesPerMillion = fractionalTradesPerMillion
        self.novelFieldsPerMillion = novelFieldsPerMillion
    }
}
