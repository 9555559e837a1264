public import MarketData

/// Which connections deliver a symbol, and why it is collected.
public struct SymbolPlacement: Sendable, Equatable {
    /// A connection that delivers the symbol.
    public struct Place: Sendable, Equatable {
        /// The connection's id.
        public var connection: String
        /// The connection's name.
        public var name: String
        /// Whether every channel of the symbol is confirmed on it.
        public var isConfirmed: Bool
        /// Whether the account's plan does not cover a channel of the symbol.
        public var isRefused: Bool
    }

    /// Why the symbol is collected.
    public enum Reason: Sendable, Equatable {
        /// A connection's key or list names it.
        case assignment(SymbolAssignment)
        /// The symbol was asked for by itself, on a connection or wherever the strategy places it.
        case single(origin: SymbolWish.Origin, connection: String?)
        /// A connection that was removed had it, and the others kept it.
        case left(by: String, origin: SymbolWish.Origin)
    }

    /// The symbol.
    public var symbol: Symbol
    /// The connections that deliver it; empty while none has room.
    public var places: [Place]
    /// Why it is collected.
    public var reasons: [Reason]
}
