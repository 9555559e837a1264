public import MarketData

/// The result of a change of subscriptions.
public struct SubscriptionChange: Sendable, Equatable {
    /// The symbols that changed, by the connection's id.
    public var changed: [String: [Symbol]]
    /// The symbols that already were as asked for.
    public var unchanged: [Symbol] = []
    /// The symbols that were not subscribed to, since no connection has room for them.
    public var withoutRoom: [Symbol] = []
}

/// What a new connection should be.
public struct ConnectionRequest: Sendable, Equatable {
    /// The possible priorities of a connection.
    public static let priorities = 1...100
    /// The connection's name; `nil` for the id.
    public var name: String?
    /// The universe key that chooses its symbols.
    var universeKey: String?
    /// Its symbols when there is no key.
    public var symbols: [Symbol]
    /// Its priority.
    public var priority: Int?

    /// Makes a request; see the properties for meaning.
    public init(name: String? = nil, universeKey: String? = nil, symbols: [Symbol] = [], priority: Int? = nil) {
        self.name = name
        self.universeKey = universeKey
        self.symbols = symbols
        self.priority = priority
    }
}
