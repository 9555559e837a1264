import MarketData

enum ImbalanceField: String, RowField {
    case symbol, time
    case timeNanoseconds = "time_ns"
    case auctionTime = "auction_time"
    case auctionType = "auction_type"
    case sequence, exchange, imbalance, paired
    case clearingPrice = "clearing_price"
    case receivedAt = "received_at"
    case collector, connection

    @inline(__always)
    func write(
        _ row: Buffered<Imbalance>, as form: ColumnForm, in context: RowContext, to copy: inout some CopyWriter
    ) {
        let event = row.event
        switch self {
        case .symbol: copy.append(event.symbol)
        case .time: copy.append(milliseconds: event.time, zoned: form == .zonedTime)
        case .timeNanoseconds: copy.append(event.timeNanoseconds)
        case .auctionTime: copy.append(event.auctionTime)
        case .auctionType: copy.append(event.auctionType, as: form, in: context.text)
        case .sequence: copy.append(event.sequence)
        case .exchange: copy.append(event.exchange)
        case .imbalance: copy.append(event.imbalance, as: form)
        case .paired: copy.append(event.paired, as: form)
        case .clearingPrice: copy.append(event.clearingPrice, as: form)
        case .receivedAt: copy.append(microseconds: row.receivedMicroseconds, zoned: form == .zonedTime)
        case .collector: copy.append(context.collectorText)
        case .connection: copy.append(connection: row.connection, in: context)
        }
    }
}
