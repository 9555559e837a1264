/// The kinds of market events that the feed sends, named as its channels are.
public enum EventKind: String, CaseIterable, Sendable, Hashable {
    /// `AM`: an aggregate of one minute.
    case minuteBar = "AM"
    /// `A`: an aggregate of one second.
    case secondBar = "A"
    /// `T`: a trade.
    case trade = "T"
    /// `Q`: a quote, the national best bid and offer.
    case quote = "Q"

    /// The stream that holds the kind's rows.
    public var stream: EventStream {
        switch self {
        case .minuteBar, .secondBar: .bars
        case .trade: .trades
        case .quote: .quotes
        }
    }
}

/// The three sequences of rows that the buffer keeps and the upload drains, each in its own table.
public enum EventStream: String, CaseIterable, Sendable, Hashable {
    /// Minute and second bars.
    case bars
    /// Trades.
    case trades
    /// Quotes.
    case quotes
}
