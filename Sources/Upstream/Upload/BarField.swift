import MarketData

/// The columns of `ohlcv_1min` and `ohlcv_1sec`.
enum BarField: String, RowField {
    case symbol, timestamp, open, high, low, close, volume
    case decimalVolume = "decimal_volume"
    case vwap
    case dayVolume = "day_volume"
    case dayOpen = "day_open"
    case dayVWAP = "day_vwap"
    case averageSize = "average_size"
    case otc
    case startMilliseconds = "start_ms"
    case endMilliseconds = "end_ms"
    case receivedAt = "received_at"
    case collector, connection, source

    @inline(__always)
    func write(_ row: Buffered<Bar>, as form: ColumnForm, in context: RowContext, to copy: inout some CopyWriter) {
        let bar = row.event
        switch self {
        case .symbol: copy.append(bar.symbol)
        case .timestamp:
            copy.append(milliseconds: bar.time(as: context.barTimestamp), zoned: form == .zonedTime)
        case .open: copy.append(bar.open, rounded: false)
        case .high: copy.append(bar.high, rounded: false)
        case .low: copy.append(bar.low, rounded: false)
        case .close: copy.append(bar.close, rounded: false)
        case .volume, .decimalVolume: copy.append(bar.volume, rounded: form == .rounded)
        case .vwap: copy.append(bar.vwap, as: form)
        case .dayVolume: copy.append(bar.dayVolume, as: form)
        case .dayOpen: copy.append(bar.dayOpen, as: form)
        case .dayVWAP: copy.append(bar.dayVWAP, as: form)
        case .averageSize: copy.append(bar.averageSize, as: form)
        case .otc: if let isOTC = bar.isOTC { copy.append(flag: isOTC) } else { copy.appendNull() }
        case .startMilliseconds: copy.append(bar.start)
        case .endMilliseconds: copy.append(bar.end)
        case .receivedAt: copy.append(microseconds: row.receivedMicroseconds, zoned: form == .zonedTime)
        case .collector: copy.append(context.collectorText)
        case .connection: copy.append(connection: row.connection, in: context)
        case .source: copy.append(row.source)
        }
    }
}

extension Bar {
    /// The bar's `timestamp` upstream, in milliseconds since the Unix epoch.
    func time(as meaning: BarTimestamp) -> Int64 {
        switch meaning {
        case .start: start
        case .end: end
        }
    }
}
