public import MarketData

/// One event with how it came, without texts: what the pages show.
public struct LiveEvent: Sendable, Equatable {
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
    public var payload: Payload
    /// The name of the connection that brought it.
    public var connection: String
    /// When it was read from the socket, in microseconds since the Unix epoch.
    public var receivedMicroseconds: Int64

    /// Makes an event; see the properties for units.
    public init(_ payload: Payload, connection: String, receivedMicroseconds: Int64) {
        self.payload = payload
        self.connection = connection
        self.receivedMicroseconds = receivedMicroseconds
    }

    /// The ticker.
    public var symbol: Symbol {
        switch payload {
        case .bar(let bar): bar.symbol
        case .trade(let trade): trade.symbol
        case .quote(let quote): quote.symbol
        }
    }

    /// The kind, named as the feed's channels are.
    public var kind: EventKind {
        switch payload {
        case .bar(let bar): bar.interval == .minute ? .minuteBar : .secondBar
        case .trade: .trade
        case .quote: .quote
        }
    }

    /// The event's time in milliseconds since the Unix epoch; a bar's is its window's start.
    public var time: Int64 {
        switch payload {
        case .bar(let bar): bar.start
        case .trade(let trade): trade.time
        case .quote(let quote): quote.time
        }
    }
}
