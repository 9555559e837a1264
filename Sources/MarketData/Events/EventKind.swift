/// The kinds of market events that the feed sends, named like its channels.
public enum EventKind: String, CaseIterable, Sendable, Hashable, Codable {
    /// `AM`: an aggregate of one minute.
    case minuteBar = "AM"
    /// `A`: an aggregate of one second.
    case secondBar = "A"
    /// `T`: a trade.
    case trade = "T"
    /// `Q`: a quote, the national best bid and offer.
    case quote = "Q"
    /// `LULD`: price bands, halts and their ends.
    case limitBand = "LULD"
    /// `NOI`: the imbalance of an auction's orders.
    case imbalance = "NOI"
    /// `FMV`: the provider's estimate of a fair value.
    case fairValue = "FMV"

    /// The kind of a bar of this length.
    @inlinable
    public init(_ interval: Bar.Interval) { self = interval == .minute ? .minuteBar : .secondBar }

    /// The stream that holds the kind's rows.
    public var stream: EventStream {
        switch self {
        case .minuteBar, .secondBar: .bars
        case .trade: .trades
        case .quote: .quotes
        case .limitBand: .luld
        case .imbalance: .imbalances
        case .fairValue: .fairValues
        }
    }

    /// The length of the kind's bars; `nil` if it has none.
    public var interval: Bar.Interval? {
        switch self {
        case .minuteBar: .minute
        case .secondBar: .second
        case .trade, .quote, .limitBand, .imbalance, .fairValue: nil
        }
    }

    /// The name of such events, for people: `minute bars`.
    public var plural: String {
        switch self {
        case .minuteBar: "minute bars"
        case .secondBar: "second bars"
        case .trade: "trades"
        case .quote: "quotes"
        case .limitBand: "price bands"
        case .imbalance: "imbalances"
        case .fairValue: "fair values"
        }
    }

    /// The kind's place in ``allCases``.
    @inlinable
    public var index: Int {
        switch self {
        case .minuteBar: 0
        case .secondBar: 1
        case .trade: 2
        case .quote: 3
        case .limitBand: 4
        case .imbalance: 5
        case .fairValue: 6
        }
    }
}

/// The sequences of rows that the buffer keeps and the upload drains, each in a table of its name.
public enum EventStream: String, CaseIterable, Sendable, Hashable, Codable {
    /// Minute and second bars.
    case bars
    /// Trades.
    case trades
    /// Quotes.
    case quotes
    /// Price bands, halts and their ends.
    case luld
    /// Imbalances of auctions.
    case imbalances
    /// The provider's estimates of fair values.
    case fairValues = "fair_values"

    /// The stream's events.
    public var event: any MarketEvent.Type {
        switch self {
        case .bars: Bar.self
        case .trades: Trade.self
        case .quotes: Quote.self
        case .luld: LimitBand.self
        case .imbalances: Imbalance.self
        case .fairValues: FairValue.self
        }
    }

    /// A number of the stream's events in words: `1 bar`, `1,024 trades`.
    public func counted(_ count: some BinaryInteger) -> String {
        switch self {
        case .bars: count.counted("bar")
        case .trades: count.counted("trade")
        case .quotes: count.counted("quote")
        case .luld: count.counted("price band")
        case .imbalances: count.counted("imbalance")
        case .fairValues: count.counted("fair value")
        }
    }

    /// The kinds whose rows the stream holds.
    public var kinds: [EventKind] { EventKind.allCases.filter { $0.stream == self } }

    /// The stream's place in ``allCases``.
    public var index: Int {
        switch self {
        case .bars: 0
        case .trades: 1
        case .quotes: 2
        case .luld: 3
        case .imbalances: 4
        case .fairValues: 5
        }
    }
}
