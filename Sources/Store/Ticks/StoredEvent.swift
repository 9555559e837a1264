import GRDB
public import MarketData

/// An event as a row of the buffer's file has it, without texts.
public struct StoredEvent: Sendable, Equatable {
    /// The event itself.
    public enum Payload: Sendable, Equatable {
        /// A minute or second bar.
        case bar(Bar)
        /// A trade; its texts are left out.
        case trade(Trade)
        /// A quote; its texts are left out.
        case quote(Quote)
    }

    /// The event.
    public let payload: Payload
    /// The row's number in its stream.
    public let sequence: Int64
    /// The name of the connection that brought it.
    public let connection: String
    /// When it was read from the socket, in microseconds since the Unix epoch.
    public let receivedMicroseconds: Int64

    /// The event of a row; `nil` for a row that holds no valid symbol or no price.
    init?(_ row: Row, of stream: EventStream) {
        switch stream {
        case .bars:
            guard let bar = Bar(row) else { return nil }
            payload = .bar(bar)
        case .trades:
            guard let trade = Trade(row) else { return nil }
            payload = .trade(trade)
        case .quotes:
            guard let quote = Quote(row) else { return nil }
            payload = .quote(quote)
        }
        let cells = Cells(row)
        guard let sequence: Int64 = cells["seq"] else { return nil }
        self.sequence = sequence
        connection = cells["connection"] ?? ""
        receivedMicroseconds = cells["received_us"] ?? 0
    }
}

extension Bar {
    init?(_ row: Row) {
        let row = Cells(row)
        guard let symbol = row["symbol"].flatMap({ (name: String) in Symbol(name) }),
            let interval = row["interval_s"].flatMap({ Interval(rawValue: $0) }),
            let start: Int64 = row["start_ms"], let end: Int64 = row["end_ms"], let open: Double = row["open"],
            let high: Double = row["high"], let low: Double = row["low"], let close: Double = row["close"],
            let volume: Double = row["volume"]
        else { return nil }
        self.init(
            symbol: symbol, interval: interval, start: start, end: end, open: open, high: high, low: low,
            close: close, volume: volume, vwap: row["vwap"], dayVolume: row["day_volume"],
            dayOpen: row["day_open"], dayVWAP: row["day_vwap"], averageSize: row["average_size"], isOTC: row["otc"])
    }
}

extension Trade {
    fileprivate init?(_ row: Row) {
        let row = Cells(row)
        guard let symbol = row["symbol"].flatMap({ (name: String) in Symbol(name) }), let time: Int64 = row["time_ms"],
            let price: Double = row["price"]
        else { return nil }
        self.init(
            symbol: symbol, time: time, price: price, size: row["size"] ?? 0, exchange: row["exchange"],
            tape: row["tape"], sequence: row["sequence"])
    }
}

extension Quote {
    fileprivate init?(_ row: Row) {
        let row = Cells(row)
        guard let symbol = row["symbol"].flatMap({ (name: String) in Symbol(name) }), let time: Int64 = row["time_ms"]
        else { return nil }
        self.init(
            symbol: symbol, time: time, bid: row["bid"], bidSize: row["bid_size"],
            bidExchange: row["bid_exchange"], ask: row["ask"], askSize: row["ask_size"],
            askExchange: row["ask_exchange"], condition: row["condition"], tape: row["tape"],
            sequence: row["sequence"])
    }
}

extension Gap {
    init(_ row: Row) {
        let row = Cells(row)
        let symbols: String = row["symbols"] ?? ""
        let events: String = row["events"] ?? ""
        self.init(
            connection: row["connection"] ?? "",
            symbols: symbols == "*" ? [] : symbols.split(separator: ",").compactMap { Symbol(String($0)) },
            events: events.split(separator: ",").compactMap { EventKind(rawValue: String($0)) },
            from: row["from_ms"] ?? 0, to: row["to_ms"],
            cause: row["cause"].flatMap { Cause(rawValue: $0) } ?? .disconnected,
            isUncertain: (row["uncertain"] ?? 0 as Int) != 0)
    }
}
