public import MarketData

/// Writes events as text, every bit of every field, for comparing.
public enum EventLine {
    /// The lines of a batch: bars, then trades, quotes and the others, each in their order.
    public static func lines(_ batch: EventBatch) -> [String] {
        batch.bars.map(line) + batch.trades.map { line($0, batch.text) } + batch.quotes.map { line($0, batch.text) }
            + batch.limitBands.map { line($0, batch.text) } + batch.imbalances.map { line($0, batch.text) }
            + batch.fairValues.map { line($0, batch.text) }
    }

    /// The event's line.
    public static func line(_ bar: Bar) -> String {
        let numbers: [Double?] = [
            bar.open, bar.high, bar.low, bar.close, bar.volume, bar.vwap, bar.dayVolume, bar.dayOpen, bar.dayVWAP,
            bar.averageSize,
        ]
        return "bar \(bar.interval.rawValue) \(bar.symbol) \(bar.start) \(bar.end) "
            + numbers.map(text).joined(separator: " ") + " \(text(bar.isOTC))"
    }

    /// The event's line.
    public static func line(_ trade: Trade, _ arena: TextArena) -> String {
        "trade \(trade.symbol) \(trade.time) \(text(trade.price)) \(text(trade.size)) \(text(trade.exchange))"
            + " \(text(trade.tape)) \(text(trade.tradeID.map { arena[$0] }.debugDescription))"
            + " \(text(trade.conditions.map { arena[$0] })) \(text(trade.sequence)) \(text(trade.trfID))"
            + " \(text(trade.trfTime)) \(text(trade.participantTime))"
    }

    /// The event's line.
    public static func line(_ quote: Quote, _ arena: TextArena) -> String {
        "quote \(quote.symbol) \(quote.time) \(text(quote.bid)) \(text(quote.bidSize)) \(text(quote.bidExchange))"
            + " \(text(quote.ask)) \(text(quote.askSize)) \(text(quote.askExchange)) \(text(quote.condition))"
            + " \(text(quote.indicators.map { arena[$0] })) \(text(quote.tape)) \(text(quote.sequence))"
            + " \(text(quote.participantTime))"
    }

    /// The line of an event of any other kind.
    public static func line(_ event: some MarketEvent, _ arena: TextArena) -> String {
        let values = event.values(in: arena).map { column, value in
            if case .real(let number) = value {
                "\(column.name)=\(text(number))"
            } else {
                "\(column.name)=\(value.json)"
            }
        }
        return "\(event.kind.rawValue) " + values.joined(separator: " ")
    }

    /// A number with its bits.
    static func text(_ value: Double?) -> String {
        value.map { "\($0)/\(String($0.bitPattern, radix: 16))" } ?? "-"
    }

    static func text(_ value: (some CustomStringConvertible)?) -> String {
        value.map(\.description) ?? "-"
    }
}
