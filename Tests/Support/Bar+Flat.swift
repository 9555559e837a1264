public import MarketData

extension Bar {
    /// Returns a bar in which all trades had one price.
    public static func flat(
        _ symbol: Symbol, _ interval: Interval = .minute, at start: Int64, price: Double = 1, volume: Double = 1
    ) -> Bar {
        Bar(
            symbol: symbol, interval: interval, start: start, end: start + interval.milliseconds, open: price,
            high: price, low: price, close: price, volume: volume)
    }
}
