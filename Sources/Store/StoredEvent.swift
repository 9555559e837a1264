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
        sequence = row["seq"]
        connection = row["connection"]
        receivedMicroseconds = row["received_us"]
    }
}

extension Bar {
    init?(_ row: Row) {
        guard let symbol = Symbol(row["symbol"] as String), let interval = Interval(rawValue: row["interval_s"]),
            let open: Double = row["open"], let high: Double = row["high"], let low: Double = row["low"],
            let close: Double = row["close"], let volume: Double = row["volume"]
        else { return nil }
        self.init(
            symbol: symbol, interval: interval, start: row["start_ms"], end: row["end_ms"], open: open, high: high,
            low: low, close: close, volume: volume, vwap: row["vwap"], dayVolume: row["day_volume"],
            dayOpen: row["day_open"], dayVWAP: row["day_vwap"], averageSize: row["average_size"], isOTC: row["otc"])
    }
}

extension Trade {
    fileprivate init?(_ row: Row) {
        guard let symbol = Symbol(row["symbol"] as String), let price: Double = row["price"] else { return nil }
        self.init(
            symbol: symbol, time: row["time_ms"], price: price, size: row["size"] ?? 0, exchange: row["exchange"],
            tape: row["tape"], sequence: row["sequence"])
    }
}

extension Quote {
    fileprivate init?(_ row: Row) {
        guard let symbol = Symbol(row["symbol"] as String) else { return nil }
        self.init(
            symbol: symbol, time: row["time_ms"], bid: row["bid"], bidSize: row["bid_size"],
            bidExchange: row["bid_exchange"], ask: row["ask"], askSize: row["ask_size"],
            askExchange: row["ask_exchange"], condition: row["condition"], tape: row["tape"],
            sequence: row["sequence"])
    }
}

extension Gap {
    init(_ row: Row) {
        let symbols: String = row["symbols"]
        let events: String = row["events"]
        self.init(
            connection: row["connection"],
            symbols: symbols == "*" ? [] : symbols.split(separator: ",").compactMap { Symbol(String($0)) },
            events: events.split(separator: ",").compactMap { EventKind(rawValue: String($0)) },
            from: row["from_ms"], to: row["to_ms"], cause: Cause(rawValue: row["cause"]) ?? .disconnected)
    }
}
