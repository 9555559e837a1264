public import MarketData

/// A market generated as a random walk: quotes around a price, trades near the quotes, and the bars of these trades.
///
/// With a given ``start``, the events depend only on the properties, on every machine.
public struct SyntheticFeed: Sendable, Equatable {
    /// The tickers.
    public var symbols: [Symbol]
    /// The kinds that are sent; bars are made from the trades even if the trades aren't sent.
    public var kinds: Set<EventKind> = [.minuteBar, .secondBar, .trade, .quote]
    /// Chooses one of the possible markets.
    public var seed: UInt64 = 1
    /// The average number of trades per second and ticker.
    public var tradesPerSecond = 1.0
    /// The number of quotes before each trade.
    var quotesPerTrade = 3
    /// When the market starts, in milliseconds since the Unix epoch; `nil` means when the replay starts.
    public var start: Int64?
    /// How long the market lasts, in whole seconds; `nil` means without end. An incomplete minute at the end has no
    /// minute bar.
    public var duration: Duration?
    /// How many trades in a million are of fractional shares (`ds`, and therefore `dv` and `dav`).
    var fractionalTradesPerMillion = 50_000
    /// How many trades, quotes and bars in a million carry a field that receivers don't know.
    var novelFieldsPerMillion = 10_000

    /// Makes a market of these tickers.
    public init(symbols: [Symbol]) { self.symbols = symbols }
}
