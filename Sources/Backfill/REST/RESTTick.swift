import MarketData

/// A trade or quote as the REST API writes it.
protocol RESTTick: Decodable, Sendable {
    /// The route's name: `trades` or `quotes`.
    static var route: String { get }
    /// The stream's timestamp: when the securities information processor received it, truncated to milliseconds.
    var milliseconds: Int64 { get }
    var isWithdrawn: Bool { get }
    /// The event that the stream delivers for it.
    associatedtype Event: MarketEvent
    /// Returns the event as the stream would deliver it; its texts are added to `texts`.
    func event(of symbol: Symbol, texts: inout TextArena) -> Event
}

/// A trade of `/v3/trades`.
struct RESTTrade: RESTTick {
    static let route = "trades"

    var sip_timestamp: Int64
    var participant_timestamp: Int64?
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

    /// The tape's correction indicators: 0 is an unchanged trade, 1 a trade with corrected numbers. The others are
    /// trades that were cancelled (8) or wrong (7), and the records that say so (10, 11) or repeat a correction (12).
    var isWithdrawn: Bool { ![0, 1].contains(correction ?? 0) }

    func event(of symbol: Symbol, texts: inout TextArena) -> Trade {
        Trade(
            symbol: symbol, time: milliseconds, price: price, size: size, exchange: exchange, tape: tape,
            // As in the stream: PostgreSQL's texts can't hold a NUL.
            tradeID: id.flatMap { $0.text.utf8.contains(0) ? nil : texts.append($0.text) },
            conditions: conditions.map { texts.append($0.jsonArray) }, sequence: sequence_number,
            trfID: trf_id, trfTime: trf_timestamp.map { $0 / 1_000_000 },
            participantTime: participant_timestamp.map { $0 / 1_000_000 })
    }
}

/// A quote of `/v3/quotes`.
struct RESTQuote: RESTTick {
    static let route = "quotes"

    var sip_timestamp: Int64
    var participant_timestamp: Int64?
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

    func event(of symbol: Symbol, texts: inout TextArena) -> Quote {
        Quote(
            symbol: symbol, time: milliseconds, bid: bid_price, bidSize: bid_size, bidExchange: bid_exchange,
            ask: ask_price, askSize: ask_size, askExchange: ask_exchange, condition: conditions?.first,
            indicators: indicators.map { texts.append($0.jsonArray) }, tape: tape, sequence: sequence_number,
            participantTime: participant_timestamp.map { $0 / 1_000_000 })
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
    /// The list in the buffer's form: `[0,12]`.
    fileprivate var jsonArray: String { "[" + map { "\($0)" }.joined(separator: ",") + "]" }
}
