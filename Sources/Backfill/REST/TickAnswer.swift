import MarketData

/// A trade or quote as the REST API writes it.
protocol RESTTick: Decodable, Sendable {
    /// The route's name: `trades` or `quotes`.
    static var route: String { get }
    /// The stream's time: when the securities information processor got it, truncated to milliseconds.
    var milliseconds: Int64 { get }
    /// Whether the tape has it no more.
    var isWithdrawn: Bool { get }
    /// What tells it from others of its time.
    func key(of symbol: Symbol) -> TickKey
    /// Appends it to a batch as the stream brings it.
    func append(to batch: inout EventBatch, _ symbol: Symbol)
}

/// One page of a route of ticks.
struct TickAnswer<Tick: RESTTick>: PagedAnswer {
    var results: [Tick]?
    var nextURL: String?

    enum CodingKeys: String, CodingKey {
        case results
        case nextURL = "next_url"
    }
}

/// What tells an event from others of its time and symbol: see the identity of `trades` and `quotes`.
enum TickKey: Hashable, Sendable {
    case trade(Symbol, sequence: Int64?, exchange: Int32?, id: String?)
    case quote(
        Symbol, sequence: Int64?, exchanges: [Int32?], prices: [Double?], sizes: [Double?])

    /// The key of an event of the file; `nil` for one that is neither trade nor quote.
    init?(_ event: AnyMarketEvent, in texts: TextArena) {
        switch event {
        case .trade(let trade):
            self = .trade(
                trade.symbol, sequence: trade.sequence, exchange: trade.exchange, id: trade.tradeID.map { texts[$0] })
        case .quote(let quote):
            self = .quote(
                quote.symbol, sequence: quote.sequence, exchanges: [quote.bidExchange, quote.askExchange],
                prices: [quote.bid, quote.ask], sizes: [quote.bidSize, quote.askSize])
        default: return nil
        }
    }
}

/// The events that are there already, by what tells them apart. Times may be a millisecond off: the stream's are rounded
/// in one way, the REST API's cut off from nanoseconds.
struct KnownTicks: Sendable {
    private var times: [TickKey: [Int64]] = [:]

    /// Whether an event is there.
    func contains(_ key: TickKey, _ time: Int64) -> Bool {
        times[key]?.contains { abs($0 - time) <= 1 } ?? false
    }

    /// Adds an event.
    mutating func insert(_ key: TickKey, _ time: Int64) { times[key, default: []].append(time) }
}

/// A trade of `/v3/trades`.
struct RESTTrade: RESTTick {
    static let route = "trades"

    var sip_timestamp: Int64
    var price: Double
    var size: Double
    var exchange: Int32?
    var id: Loose?
    var tape: Int32?
    var conditions: [Int32]?
    var sequence_number: Int64?
    var trf_id: Int32?
    var trf_timestamp: Int64?
    var correction: Int32?

    var milliseconds: Int64 { sip_timestamp / 1_000_000 }

    /// The tape's correction indicators: 0 is a trade as it was, 1 one with its corrected numbers. The others are trades
    /// that were cancelled (8) or wrong (7), and the records that say so (10, 11) or repeat a correction (12).
    var isWithdrawn: Bool { ![0, 1].contains(correction ?? 0) }

    func key(of symbol: Symbol) -> TickKey {
        .trade(symbol, sequence: sequence_number, exchange: exchange, id: id?.text)
    }

    func append(to batch: inout EventBatch, _ symbol: Symbol) {
        batch.trades.append(
            Trade(
                symbol: symbol, time: milliseconds, price: price, size: size, exchange: exchange, tape: tape,
                tradeID: id.map { batch.text.append($0.text) },
                conditions: conditions.map { batch.text.append($0.jsonArray) }, sequence: sequence_number,
                trfID: trf_id,
                trfTime: trf_timestamp.map { $0 / 1_000_000 }))
    }
}

/// A quote of `/v3/quotes`.
struct RESTQuote: RESTTick {
    static let route = "quotes"

    var sip_timestamp: Int64
    var bid_price: Double?
    var bid_size: Double?
    var bid_exchange: Int32?
    var ask_price: Double?
    var ask_size: Double?
    var ask_exchange: Int32?
    var conditions: [Int32]?
    var indicators: [Int32]?
    var tape: Int32?
    var sequence_number: Int64?

    var milliseconds: Int64 { sip_timestamp / 1_000_000 }
    var isWithdrawn: Bool { false }

    func key(of symbol: Symbol) -> TickKey {
        .quote(
            symbol, sequence: sequence_number, exchanges: [bid_exchange, ask_exchange], prices: [bid_price, ask_price],
            sizes: [bid_size, ask_size])
    }

    func append(to batch: inout EventBatch, _ symbol: Symbol) {
        batch.quotes.append(
            Quote(
                symbol: symbol, time: milliseconds, bid: bid_price, bidSize: bid_size, bidExchange: bid_exchange,
                ask: ask_price, askSize: ask_size, askExchange: ask_exchange, condition: conditions?.first,
                indicators: indicators.map { batch.text.append($0.jsonArray) }, tape: tape, sequence: sequence_number))
    }
}

/// A text that some answers write as a number.
struct Loose: Decodable, Sendable {
    var text: String

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        text = try (try? container.decode(String.self)) ?? "\(container.decode(Int64.self))"
    }
}

extension [Int32] {
    /// As the buffer keeps lists: `[0,12]`.
    fileprivate var jsonArray: String { "[" + map { "\($0)" }.joined(separator: ",") + "]" }
}
