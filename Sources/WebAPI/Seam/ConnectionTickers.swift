public import MarketData

/// A connection's symbols.
public struct ConnectionTickers: Sendable, Equatable {
    /// Whether the connection subscribes to all symbols; the lists are empty then.
    public var takesAll: Bool
    /// The symbols that the connection is to bring.
    public var assigned: [Symbol]
    /// The symbols whose every channel stands.
    public var confirmed: [Symbol]
    /// The symbols that the account's plan does not cover.
    public var refused: [Symbol]

    /// Makes the lists; see the properties for meaning.
    public init(takesAll: Bool = false, assigned: [Symbol], confirmed: [Symbol], refused: [Symbol] = []) {
        self.takesAll = takesAll
        self.assigned = assigned
        self.confirmed = confirmed
        self.refused = refused
    }
}
