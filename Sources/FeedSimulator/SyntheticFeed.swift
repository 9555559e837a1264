public import MarketData

/// A market made up as a random walk: quotes around a price, trades at the quotes, and the bars that these trades make.
///
/// With a given ``start`` the events follow from the other values alone, on every machine.
public struct SyntheticFeed: Sendable, Equatable {
    /// The tickers.
    public var symbols: [Symbol]
    /// The kinds that are sent; bars are made of the trades even where those aren't sent.
    var kinds: Set<EventKind>
    /// Chooses one of the possible markets.
    var seed: UInt64
    /// How many trades each ticker has in a second, on average.
    var tradesPerSecond: Double
    /// How many quotes come before each trade.
    var quotesPerTrade: Int
    /// When the market starts, in milliseconds since the Unix epoch; `nil` means when the replay starts.
    public var start: Int64?
    /// How long it lasts, in whole seconds; a minute that isn't complete at the end has no minute bar. `nil` has
    /// no end.
    public var duration: Duration?
    /// How many trades in a million are of fractions of a share (`ds`, and so `dv` and `dav`).
    var fractionalTradesPerMillion: Int
    /// How many events in a million carry a field that receivers don't know.
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
