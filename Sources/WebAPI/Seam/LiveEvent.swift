public import MarketData

/// One event with how it came, without texts: what the pages show.
public struct LiveEvent: Sendable, Equatable {
    /// The event.
    public var payload: AnyMarketEvent
    /// The name of the connection that brought it.
    public var connection: String
    /// When it was read from the socket, in microseconds since the Unix epoch.
    public var receivedMicroseconds: Int64

    /// Makes an event; see the properties for units.
    public init(_ payload: AnyMarketEvent, connection: String, receivedMicroseconds: Int64) {
        self.payload = payload
        self.connection = connection
        self.receivedMicroseconds = receivedMicroseconds
    }

    /// The ticker.
    public var symbol: Symbol { payload.head.symbol }

    /// The kind, named as the feed's channels are.
    public var kind: EventKind { payload.head.kind }

    /// The event's time in milliseconds since the Unix epoch; a bar's is its window's start.
    public var time: Int64 { payload.head.time }
}
