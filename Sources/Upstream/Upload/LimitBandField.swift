import MarketData

/// The columns of `luld`.
enum LimitBandField: String, RowField {
    case symbol, time
    case timeNanoseconds = "time_ns"
    case highBand = "high_band"
    case lowBand = "low_band"
    case indicators, tape, sequence
    case receivedAt = "received_at"
    case collector, connection

    @inline(__always)
    func write(
        _ row: Buffered<LimitBand>, as form: ColumnForm, in context: RowContext, to copy: inout some CopyWriter
    ) {
        let event = row.event
        switch self {
        case .symbol: copy.append(event.symbol)
        case .time: copy.append(milliseconds: event.time, zoned: form == .zonedTime)
        case .timeNanoseconds: copy.append(event.timeNanoseconds)
        case .highBand: copy.append(event.high, as: form)
        case .lowBand: copy.append(event.low, as: form)
        case .indicators: copy.append(event.indicators, as: form, in: context.text)
        case .tape: copy.append(event.tape)
        case .sequence: copy.append(event.sequence)
        case .receivedAt: copy.append(microseconds: row.receivedMicroseconds, zoned: form == .zonedTime)
        case .collector: copy.append(context.collectorText)
        case .connection: copy.append(connection: row.connection, in: context)
        }
    }
}
