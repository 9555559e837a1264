import MarketData

enum QuoteField: String, RowField {
    case symbol, time, bid
    case bidSize = "bid_size"
    case bidExchange = "bid_exchange"
    case ask
    case askSize = "ask_size"
    case askExchange = "ask_exchange"
    case condition, indicators, tape, sequence
    case receivedAt = "received_at"
    case collector, connection
    case participantTime = "participant_time"

    @inline(__always)
    func write(_ row: Buffered<Quote>, as form: ColumnForm, in context: RowContext, to copy: inout some CopyWriter) {
        let quote = row.event
        switch self {
        case .symbol: copy.append(quote.symbol)
        case .time: copy.append(milliseconds: quote.time, zoned: form == .zonedTime)
        case .bid: copy.append(quote.bid, as: form)
        case .bidSize: copy.append(quote.bidSize, as: form)
        case .bidExchange: copy.append(quote.bidExchange)
        case .ask: copy.append(quote.ask, as: form)
        case .askSize: copy.append(quote.askSize, as: form)
        case .askExchange: copy.append(quote.askExchange)
        case .condition: copy.append(quote.condition)
        case .indicators: copy.append(quote.indicators, as: form, in: context.text)
        case .tape: copy.append(quote.tape)
        case .sequence: copy.append(quote.sequence)
        case .receivedAt: copy.append(microseconds: row.receivedMicroseconds, zoned: form == .zonedTime)
        case .collector: copy.append(context.collectorText)
        case .connection: copy.append(connection: row.connection, in: context)
        case .participantTime: copy.append(milliseconds: quote.participantTime, zoned: form == .zonedTime)
        }
    }
}
