import MarketData

enum TradeField: String, RowField {
    case symbol, time, price, size, exchange, tape
    case tradeID = "trade_id"
    case conditions, sequence
    case trfID = "trf_id"
    case trfTime = "trf_time"
    case receivedAt = "received_at"
    case collector, connection
    case participantTime = "participant_time"

    @inline(__always)
    func write(_ row: Buffered<Trade>, as form: ColumnForm, in context: RowContext, to copy: inout some CopyWriter) {
        let trade = row.event
        switch self {
        case .symbol: copy.append(trade.symbol)
        case .time: copy.append(milliseconds: trade.time, zoned: form == .zonedTime)
        case .price: copy.append(trade.price, rounded: false)
        case .size: copy.append(trade.size, rounded: form == .rounded)
        case .exchange: copy.append(trade.exchange)
        case .tape: copy.append(trade.tape)
        case .tradeID: copy.append(trade.tradeID, as: form, in: context.text)
        case .conditions: copy.append(trade.conditions, as: form, in: context.text)
        case .sequence: copy.append(trade.sequence)
        case .trfID: copy.append(trade.trfID)
        case .trfTime: copy.append(milliseconds: trade.trfTime, zoned: form == .zonedTime)
        case .receivedAt: copy.append(microseconds: row.receivedMicroseconds, zoned: form == .zonedTime)
        case .collector: copy.append(context.collectorText)
        case .connection: copy.append(connection: row.connection, in: context)
        case .participantTime: copy.append(milliseconds: trade.participantTime, zoned: form == .zonedTime)
        }
    }
}
