public import MarketData

/// What a change of subscriptions did.
public struct SubscriptionChange: Sendable, Equatable {
    /// The symbols that changed, by the connection's id.
    public var changed: [String: [Symbol]]
    /// The symbols that were as asked for already.
    public var unchanged: [Symbol] = []
}

/// What a new connection is to be.
public struct ConnectionRequest: Sendable, Equatable {
    /// The connection's name; `nil` for the id.
    public var name: String?
    /// The universe key that chooses its symbols.
    var universeKey: String?
    /// Its symbols where no key is given.
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
