import FeedSimulator
public import MarketData

/// An event whose fields all follow from its number and the plan, so that a test can rebuild what was sent.
///
/// Most kinds carry the number itself, such as a trade in `i` and `q` and a quote in `q`. A bar's number follows from
/// its symbol and start (``LedgerPlan/id(of:symbol:time:)``). Prices have 2 to 4 decimals. About one volume or size in
/// four is fractional; the fraction is only in `dv`, `dav` or `ds`.
public struct LedgerEvent: Sendable, Equatable {
    /// The number.
    public let id: UInt64
    /// The plan, which together with the number determines the event.
    public let plan: LedgerPlan

    /// Makes the event with this number.
    public init(id: UInt64, plan: LedgerPlan) {
        self.id = id
        self.plan = plan
    }

    /// The kind.
    public var kind: EventKind { plan.kinds[Int(id % UInt64(plan.kinds.count))] }

    /// The symbol.
    public var symbol: Symbol {
        plan.symbols[Int(id / UInt64(plan.kinds.count) % UInt64(plan.symbols.count))]
    }

    /// A bar's start, or another event's time, in milliseconds since the Unix epoch.
    public var time: Int64 {
        let turn = id / UInt64(plan.kinds.count) / UInt64(plan.symbols.count)
        return plan.time(of: kind, turn: turn)
    }

    /// The bar; `nil` for another kind.
    public var bar: Bar? {
        guard let interval = kind.interval else { return nil }
        let numbers = BarNumbers(self)
        return Bar(
            symbol: symbol, interval: interval, start: time, end: time + interval.milliseconds,
            open: numbers.open.double, high: numbers.high.double, low: numbers.low.double, close: numbers.close.double,
            volume: numbers.volume.double, vwap: numbers.vwap.double, dayVolume: numbers.dayVolume.double,
            dayOpen: numbers.open.double, dayVWAP: numbers.vwap.double, averageSize: Double(numbers.averageSize))
    }

    /// Returns the trade, with its texts added to `text`; `nil` for another kind.
    public func trade(text: inout TextArena) -> Trade? {
        guard kind == .trade else { return nil }
        let numbers = TradeNumbers(self)
        return Trade(
            symbol: symbol, time: time, price: numbers.price.double, size: numbers.size.double,
            exchange: Int32(numbers.exchange), tape: Int32(numbers.tape), tradeID: text.append(String(id)),
            conditions: text.append("[\(numbers.conditions.map(String.init).joined(separator: ","))]"),
            sequence: Int64(id), participantTime: numbers.participantTime)
    }

    /// The quote; `nil` for another kind.
    public var quote: Quote? {
        guard kind == .quote else { return nil }
        let numbers = QuoteNumbers(self)
        return Quote(
            symbol: symbol, time: time, bid: numbers.bid.double, bidSize: Double(numbers.bidSize),
            bidExchange: Int32(numbers.bidExchange), ask: numbers.ask.double, askSize: Double(numbers.askSize),
            askExchange: Int32(numbers.askExchange), condition: Int32(numbers.condition), tape: Int32(numbers.tape),
            sequence: Int64(id), participantTime: numbers.participantTime)
    }

    /// Returns the price bands, with their texts added to `text`; `nil` for another kind.
    public func limitBand(text: inout TextArena) -> LimitBand? {
        guard kind == .limitBand else { return nil }
        let numbers = LimitBandNumbers(self)
        return LimitBand(
            symbol: symbol, time: time, timeNanoseconds: numbers.nanoseconds, high: numbers.high.double,
            low: numbers.low.double, indicators: text.append("[\(numbers.indicator)]"), tape: Int32(numbers.tape),
            sequence: Int64(id))
    }

    /// Returns the imbalance, with its texts added to `text`; `nil` for another kind.
    public func imbalance(text: inout TextArena) -> Imbalance? {
        guard kind == .imbalance else { return nil }
        let numbers = ImbalanceNumbers(self)
        return Imbalance(
            symbol: symbol, time: time, timeNanoseconds: numbers.nanoseconds,
            auctionTime: Int32(numbers.auctionTime), auctionType: text.append(numbers.auctionType),
            sequence: Int64(id), exchange: Int32(numbers.exchange), imbalance: Double(numbers.imbalance),
            paired: Double(numbers.paired), clearingPrice: numbers.clearingPrice.double)
    }

    /// The fair value; `nil` for another kind.
    public var fairValue: FairValue? {
        guard kind == .fairValue else { return nil }
        let numbers = FairValueNumbers(self)
        return FairValue(
            symbol: symbol, time: time, timeNanoseconds: numbers.nanoseconds, value: numbers.value.double)
    }

    /// The event as it is sent: a JSON object.
    public var json: [UInt8] {
        var text = EventText(kind, symbol)
        switch kind {
        case .minuteBar, .secondBar: BarNumbers(self).write(self, to: &text)
        case .trade: TradeNumbers(self).write(self, to: &text)
        case .quote: QuoteNumbers(self).write(self, to: &text)
        case .limitBand: LimitBandNumbers(self).write(self, to: &text)
        case .imbalance: ImbalanceNumbers(self).write(self, to: &text)
        case .fairValue: FairValueNumbers(self).write(self, to: &text)
        }
        return text.finished()
    }

    /// A pseudo-random sequence that depends only on the event's number and the plan's seed.
    var random: SeededRandom { SeededRandom(seed: SeededRandom.mixed(id &+ 1) ^ plan.seed) }
}
