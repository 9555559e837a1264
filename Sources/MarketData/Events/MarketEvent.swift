/// An event of one symbol at one time, such as a bar, a trade or a quote.
public protocol MarketEvent: Sendable, Equatable, BitwiseCopyable {
    /// The columns of the events' table in the order of a row, without those that every stream's rows have.
    static var columns: [EventColumn<Self>] { get }

    /// Makes an event of which nothing else is known; its required numbers are NaN.
    init(symbol: Symbol, time: Int64)

    /// The ticker.
    var symbol: Symbol { get }
    /// The kind.
    var kind: EventKind { get }
    /// The event's own time, in milliseconds since the Unix epoch; a bar's start.
    var time: Int64 { get }
    /// When it was over, in milliseconds since the Unix epoch: a bar's end, else its time.
    var end: Int64 { get }
    /// The same as an event of any stream.
    var any: AnyMarketEvent { get }
}

extension MarketEvent {
    /// The default: the event's time. Only a bar has a different end.
    @inlinable public var end: Int64 { time }

    /// Makes the event with these column values; `nil` when a required column has no value or one that it can't hold.
    ///
    /// - Parameters:
    ///   - takesNaN: Whether a required number may be missing and is then NaN, because a file stores NULL for NaN.
    ///   - texts: receives the event's texts.
    ///   - value: a column's value, by its name.
    public init?(takesNaN: Bool = false, texts: inout TextArena, _ value: (String) -> ColumnValue?) {
        guard let symbol = value("symbol")?.text.flatMap({ Symbol($0) }) else { return nil }
        self.init(symbol: symbol, time: 0)
        for column in Self.columns {
            if let value = value(column.column.name), column.set(value, in: &self, texts: &texts) { continue }
            guard !column.column.isRequired || takesNaN && column.column.content.isReal else { return nil }
        }
    }

    /// Returns the wanted columns that have a value, with the value; `texts` need not hold the texts of other columns.
    public func values(
        in texts: TextArena, where isWanted: (Column) -> Bool = { _ in true }
    ) -> [(column: Column, value: ColumnValue)] {
        Self.columns.compactMap { column in
            guard isWanted(column.column) else { return nil }
            return column.value(of: self, in: texts).map { (column.column, $0) }
        }
    }
}

/// An event of any stream.
public enum AnyMarketEvent: Sendable, Equatable {
    /// A minute or second bar.
    case bar(Bar)
    /// A trade.
    case trade(Trade)
    /// A quote.
    case quote(Quote)
    /// Price bands, a halt or its end.
    case limitBand(LimitBand)
    /// The imbalance of an auction's orders.
    case imbalance(Imbalance)
    /// The provider's estimate of a fair value.
    case fairValue(FairValue)

    /// The properties that all events have.
    public var head: EventHead {
        switch self {
        case .bar(let event): EventHead(event)
        case .trade(let event): EventHead(event)
        case .quote(let event): EventHead(event)
        case .limitBand(let event): EventHead(event)
        case .imbalance(let event): EventHead(event)
        case .fairValue(let event): EventHead(event)
        }
    }

    /// Returns the event with only its most important text, in a new arena: a band's indicators, an auction's kind.
    public func keepingDetail(in texts: TextArena) -> (event: AnyMarketEvent, texts: TextArena) {
        var kept = TextArena()
        switch self {
        case .limitBand(var event):
            event.indicators = event.indicators.map { kept.append(texts[$0]) }
            return (.limitBand(event), kept)
        case .imbalance(var event):
            event.auctionType = event.auctionType.map { kept.append(texts[$0]) }
            return (.imbalance(event), kept)
        case .bar, .trade, .quote, .fairValue: return (self, kept)
        }
    }

    /// Returns the wanted columns that have a value, with the value; `texts` need not hold the texts of other columns.
    public func values(
        in texts: TextArena, where isWanted: (Column) -> Bool = { _ in true }
    ) -> [(column: Column, value: ColumnValue)] {
        switch self {
        case .bar(let event): event.values(in: texts, where: isWanted)
        case .trade(let event): event.values(in: texts, where: isWanted)
        case .quote(let event): event.values(in: texts, where: isWanted)
        case .limitBand(let event): event.values(in: texts, where: isWanted)
        case .imbalance(let event): event.values(in: texts, where: isWanted)
        case .fairValue(let event): event.values(in: texts, where: isWanted)
        }
    }
}

/// The properties that events of all streams have.
@frozen
public struct EventHead: Sendable, Equatable {
    /// The kind.
    public let kind: EventKind
    /// The ticker.
    public let symbol: Symbol
    /// The event's own time, in milliseconds since the Unix epoch; a bar's start.
    public let time: Int64
    /// When it was over, in milliseconds since the Unix epoch: a bar's end, else its time.
    public let end: Int64

    /// An event's head.
    @inlinable
    @inline(__always)
    public init(_ event: some MarketEvent) {
        kind = event.kind
        symbol = event.symbol
        time = event.time
        end = event.end
    }
}
