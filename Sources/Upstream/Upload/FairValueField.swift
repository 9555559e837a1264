import MarketData

enum FairValueField: String, RowField {
    case symbol, time
    case timeNanoseconds = "time_ns"
    case value = "fair_value"
    case receivedAt = "received_at"
    case collector, connection

    @inline(__always)
    func write(
        _ row: Buffered<FairValue>, as form: ColumnForm, in context: RowContext, to copy: inout some CopyWriter
    ) {
        let event = row.event
        switch self {
        case .symbol: copy.append(event.symbol)
        case .time: copy.append(milliseconds: event.time, zoned: form == .zonedTime)
        case .timeNanoseconds: copy.append(event.timeNanoseconds)
        case .value: copy.append(event.value, rounded: false)
        case .receivedAt: copy.append(microseconds: row.receivedMicroseconds, zoned: form == .zonedTime)
        case .collector: copy.append(context.collectorText)
        case .connection: copy.append(connection: row.connection, in: context)
        }
    }
}
