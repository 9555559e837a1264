import FoundationEssentials
public import MarketData

/// A dead letter that leaves the file, and the event that takes its place in the queue; without one it is given up.
struct SettledLetter: Sendable {
    let stream: EventStream
    let sequence: Int64
    let batch: EventBatch?

    init(_ letter: DeadLetter, _ event: DeadLetter.Event?) {
        stream = letter.stream
        sequence = letter.sequence
        batch = event?.batch
    }
}

extension DeadLetter {
    /// The event of a dead letter.
    public struct Event: Sendable, Equatable {
        /// The event alone, as it came.
        public let batch: EventBatch
        /// Its symbol.
        public let symbol: Symbol
        /// Its feed time in milliseconds since the Unix epoch.
        public let time: Int64
    }

    /// The event that ``row`` holds; `nil` when it holds none.
    public var event: Event? {
        guard let row = try? JSONDecoder().decode(RowFields.self, from: Data(row.utf8)),
            let symbol = Symbol(row.symbol), let time = row.start_ms ?? row.time_ms
        else { return nil }
        var batch = EventBatch(connection: row.connection ?? "", receivedMicroseconds: row.received_us)
        batch.source = row.source.flatMap(EventSource.init) ?? .stream
        switch stream {
        case .bars:
            guard let interval = row.interval_s.flatMap(Bar.Interval.init), let end = row.end_ms else { return nil }
            batch.bars = [
                Bar(
                    symbol: symbol, interval: interval, start: time, end: end, open: row.open ?? .nan,
                    high: row.high ?? .nan, low: row.low ?? .nan, close: row.close ?? .nan, volume: row.volume ?? .nan,
                    vwap: row.vwap, dayVolume: row.day_volume, dayOpen: row.day_open, dayVWAP: row.day_vwap,
                    averageSize: row.average_size, isOTC: row.otc.map { $0 != 0 })
            ]
        case .trades:
            batch.trades = [
                Trade(
                    symbol: symbol, time: time, price: row.price ?? .nan, size: row.size ?? .nan,
                    exchange: row.exchange, tape: row.tape, tradeID: row.trade_id.map { batch.text.append($0) },
                    conditions: row.conditions.map { batch.text.append($0) }, sequence: row.sequence,
                    trfID: row.trf_id, trfTime: row.trf_time_ms)
            ]
        case .quotes:
            batch.quotes = [
                Quote(
                    symbol: symbol, time: time, bid: row.bid, bidSize: row.bid_size, bidExchange: row.bid_exchange,
                    ask: row.ask, askSize: row.ask_size, askExchange: row.ask_exchange, condition: row.condition,
                    indicators: row.indicators.map { batch.text.append($0) }, tape: row.tape, sequence: row.sequence)
            ]
        }
        return Event(batch: batch, symbol: symbol, time: time)
    }

    /// The columns of all streams, by their names in the file.
    // swift-format-ignore: AlwaysUseLowerCamelCase
    private struct RowFields: Decodable {
        let symbol: String
        let received_us: Int64
        let connection: String?
        let source: String?
        let interval_s: Int32?
        let start_ms: Int64?
        let end_ms: Int64?
        let open: Double?
        let high: Double?
        let low: Double?
        let close: Double?
        let volume: Double?
        let vwap: Double?
        let day_volume: Double?
        let day_open: Double?
        let day_vwap: Double?
        let average_size: Double?
        let otc: Int32?
        let time_ms: Int64?
        let price: Double?
        let size: Double?
        let exchange: Int32?
        let tape: Int32?
        let trade_id: String?
        let conditions: String?
        let sequence: Int64?
        let trf_id: Int32?
        let trf_time_ms: Int64?
        let bid: Double?
        let bid_size: Double?
        let bid_exchange: Int32?
        let ask: Double?
        let ask_size: Double?
        let ask_exchange: Int32?
        let condition: Int32?
        let indicators: String?
    }
}
