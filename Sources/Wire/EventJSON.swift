package import MarketData
package import Store

/// One market event: its kind says which members it has.
package enum EventJSON: WireUnion, Sendable {
    case bar(Bar)
    case trade(Trade)
    case quote(Quote)
    case limitBand(LimitBand)
    case imbalance(Imbalance)
    case fairValue(FairValue)

    /// A minute bar (AM) or second bar (A).
    package struct Bar: WireObject {
        /// The kinds of bars.
        package enum Kind: String, Codable, CaseIterable, Sendable {
            case AM
            case A
        }

        package var kind: Kind
        package var symbol: String
        package var time_ms: Int64
        package var open: Double
        package var high: Double
        package var low: Double
        package var close: Double
        package var volume: Double
        package var vwap: Double?
        package var connection: String
        package var received_ms: Int64
        package var sequence: Int64?

        package static let meanings = EventJSON.meanings.merging(["time_ms": "When the bar starts"]) { _, new in new }
        package static let bounds = ["symbol": Bounds.symbol]
    }

    /// A trade.
    package struct Trade: WireObject {
        /// The kind of a trade.
        package enum Kind: String, Codable, CaseIterable, Sendable {
            case T
        }

        package var kind: Kind
        package var symbol: String
        package var time_ms: Int64
        package var price: Double
        package var size: Double
        package var exchange: Int32?
        package var connection: String
        package var received_ms: Int64
        package var sequence: Int64?

        package static let meanings = EventJSON.meanings
        package static let bounds = ["symbol": Bounds.symbol]
    }

    /// A quote.
    package struct Quote: WireObject {
        /// The kind of a quote.
        package enum Kind: String, Codable, CaseIterable, Sendable {
            case Q
        }

        package var kind: Kind
        package var symbol: String
        package var time_ms: Int64
        package var bid: Double?
        package var bid_size: Double?
        package var ask: Double?
        package var ask_size: Double?
        package var connection: String
        package var received_ms: Int64
        package var sequence: Int64?

        package static let meanings = EventJSON.meanings
        package static let bounds = ["symbol": Bounds.symbol]
    }

    /// Price bands, a halt or its end.
    package struct LimitBand: WireObject {
        /// The kind of these events.
        package enum Kind: String, Codable, CaseIterable, Sendable {
            case LULD
        }

        package var kind: Kind
        package var symbol: String
        package var time_ms: Int64
        package var high_band: Double?
        package var low_band: Double?
        package var indicators: String?
        package var connection: String
        package var received_ms: Int64
        package var sequence: Int64?

        package static let meanings = EventJSON.meanings
        package static let bounds = ["symbol": Bounds.symbol]
    }

    /// The imbalance of an auction.
    package struct Imbalance: WireObject {
        /// The kind of these events.
        package enum Kind: String, Codable, CaseIterable, Sendable {
            case NOI
        }

        package var kind: Kind
        package var symbol: String
        package var time_ms: Int64
        package var auction_time: Int32?
        package var auction_type: String?
        package var imbalance: Double?
        package var paired: Double?
        package var clearing_price: Double?
        package var connection: String
        package var received_ms: Int64
        package var sequence: Int64?

        package static let meanings = EventJSON.meanings
        package static let bounds = ["symbol": Bounds.symbol]
    }

    /// A fair value.
    package struct FairValue: WireObject {
        /// The kind of these events.
        package enum Kind: String, Codable, CaseIterable, Sendable {
            case FMV
        }

        package var kind: Kind
        package var symbol: String
        package var time_ms: Int64
        package var fair_value: Double
        package var connection: String
        package var received_ms: Int64
        package var sequence: Int64?

        package static let meanings = EventJSON.meanings
        package static let bounds = ["symbol": Bounds.symbol]
    }

    private static let meanings = [
        "connection": "The name of the connection that brought it", "received_ms": "When it was read from the socket",
        "sequence": "The row's number in its stream; null before the event is in the file",
    ]

    package init(_ event: StoredEvent) {
        let (connection, received) = (event.connection, event.receivedMicroseconds / 1000)
        switch event.event {
        case .bar(let bar):
            self = .bar(
                Bar(
                    kind: bar.interval == .minute ? .AM : .A, symbol: bar.symbol.description, time_ms: bar.start,
                    open: bar.open, high: bar.high, low: bar.low, close: bar.close, volume: bar.volume, vwap: bar.vwap,
                    connection: connection, received_ms: received, sequence: event.sequence))
        case .trade(let trade):
            self = .trade(
                Trade(
                    kind: .T, symbol: trade.symbol.description, time_ms: trade.time, price: trade.price,
                    size: trade.size, exchange: trade.exchange, connection: connection, received_ms: received,
                    sequence: event.sequence))
        case .quote(let quote):
            self = .quote(
                Quote(
                    kind: .Q, symbol: quote.symbol.description, time_ms: quote.time, bid: quote.bid,
                    bid_size: quote.bidSize, ask: quote.ask, ask_size: quote.askSize, connection: connection,
                    received_ms: received, sequence: event.sequence))
        case .limitBand(let band):
            self = .limitBand(
                LimitBand(
                    kind: .LULD, symbol: band.symbol.description, time_ms: band.time, high_band: band.high,
                    low_band: band.low, indicators: event.event.detail(in: event.texts), connection: connection,
                    received_ms: received, sequence: event.sequence))
        case .imbalance(let found):
            self = .imbalance(
                Imbalance(
                    kind: .NOI, symbol: found.symbol.description, time_ms: found.time,
                    auction_time: found.auctionTime, auction_type: event.event.detail(in: event.texts),
                    imbalance: found.imbalance, paired: found.paired, clearing_price: found.clearingPrice,
                    connection: connection, received_ms: received, sequence: event.sequence))
        case .fairValue(let found):
            self = .fairValue(
                FairValue(
                    kind: .FMV, symbol: found.symbol.description, time_ms: found.time, fair_value: found.value,
                    connection: connection, received_ms: received, sequence: event.sequence))
        }
    }

    package init(from decoder: any Decoder) throws {
        if let bar = try? Bar(from: decoder) {
            self = .bar(bar)
        } else if let trade = try? Trade(from: decoder) {
            self = .trade(trade)
        } else if let band = try? LimitBand(from: decoder) {
            self = .limitBand(band)
        } else if let imbalance = try? Imbalance(from: decoder) {
            self = .imbalance(imbalance)
        } else if let value = try? FairValue(from: decoder) {
            self = .fairValue(value)
        } else {
            self = .quote(try Quote(from: decoder))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .bar(let bar): try bar.encode(to: encoder)
        case .trade(let trade): try trade.encode(to: encoder)
        case .quote(let quote): try quote.encode(to: encoder)
        case .limitBand(let band): try band.encode(to: encoder)
        case .imbalance(let imbalance): try imbalance.encode(to: encoder)
        case .fairValue(let value): try value.encode(to: encoder)
        }
    }

    package static var schemas: [Schema] {
        [
            .of(Bar.self), .of(Trade.self), .of(Quote.self), .of(LimitBand.self), .of(Imbalance.self),
            .of(FairValue.self),
        ]
    }
}

/// The newest events: `/api/ticks/recent`.
package struct RecentEventsJSON: WireObject {
    /// Where events were found.
    package enum Source: String, Codable, CaseIterable, Sendable {
        case memory
        case buffer
    }

    package var symbol: String?
    package var count: Int
    package var source: Source
    package var is_complete: Bool
    package var events: [EventJSON]

    package static let meanings = [
        "symbol": "The one asked for",
        "source": "memory, or the buffer's file with what memory holds beyond it",
        "is_complete": "Whether the file was read as far as needed to be sure that none is missing",
        "events": "Newest first",
    ]

    package init(symbol: Symbol?, source: Source, isComplete: Bool, events: [StoredEvent]) {
        self.symbol = symbol?.description
        count = events.count
        self.source = source
        is_complete = isComplete
        self.events = events.map(EventJSON.init)
    }
}

/// Market events as they come: `tick_update` of the event stream.
package struct TickUpdateJSON: WireObject {
    package var events: [EventJSON]
    package var seen: Int64

    package static let meanings = [
        "events": "The newest, oldest first", "seen": "How many came since the message before, shown or not",
    ]

    package init(_ events: some Sequence<StoredEvent>, seen: UInt64) {
        self.events = events.map(EventJSON.init)
        self.seen = Int64(clamping: seen)
    }
}

/// Messages that a slow reader missed: `messages_dropped` of the event stream.
package struct MessagesDroppedJSON: WireObject {
    package var count: Int

    package init(count: Int) { self.count = count }
}

/// Bars of a symbol: `/api/bars`, `edgetick query`.
package struct BarsJSON: WireObject {
    /// One bar.
    package struct Bar: WireObject {
        package var start_ms: Int64
        package var open: Double
        package var high: Double
        package var low: Double
        package var close: Double
        package var volume: Double
        package var vwap: Double?

        package init(_ bar: MarketData.Bar) {
            (start_ms, open, high, low, close) = (bar.start, bar.open, bar.high, bar.low, bar.close)
            (volume, vwap) = (bar.volume, bar.vwap)
        }

        package init(_ bar: BarRollUp.Bar) {
            (start_ms, open, high, low, close) = (bar.start, bar.open, bar.high, bar.low, bar.close)
            (volume, vwap) = (bar.volume, bar.vwap)
        }
    }

    package var symbol: String
    package var interval_seconds: Int32
    package var count: Int
    package var is_complete: Bool
    package var bars: [Bar]

    package static let meanings = [
        "is_complete": "Whether the file was read as far as needed to be sure that none is missing",
        "bars": "The newest version of each, oldest first",
    ]
    package static let bounds = ["symbol": Bounds.symbol]

    package init(symbol: Symbol, interval: MarketData.Bar.Interval, _ found: TickHistory.Answer<MarketData.Bar>) {
        self.init(
            symbol: symbol, intervalSeconds: interval.rawValue, isComplete: found.isComplete,
            bars: found.values.map { Bar($0) })
    }

    package init(symbol: Symbol, intervalSeconds: Int32, isComplete: Bool, bars: [Bar]) {
        self.symbol = symbol.description
        interval_seconds = intervalSeconds
        count = bars.count
        is_complete = isComplete
        self.bars = bars
    }
}
