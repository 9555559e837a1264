public import MarketData

/// Which connections bring a symbol, and why it is collected.
public struct SymbolPlacement: Sendable, Equatable {
    /// A connection that brings the symbol.
    public struct Place: Sendable, Equatable {
        /// The connection's id.
        public var connection: String
        /// The connection's name.
        public var name: String
        /// Whether every channel of the symbol is confirmed there.
        public var isConfirmed: Bool
        /// Whether the account's plan doesn't cover it.
        public var isRefused: Bool
    }

    /// What names the symbol.
    public enum Reason: Sendable, Equatable {
        /// A connection's key or list.
        case assignment(SymbolAssignment)
        /// The symbol was asked for by itself, on a connection or wherever the strategy places it.
        case single(origin: SymbolWish.Origin, connection: String?)
        /// A connection that was removed had it, and the others went on with it.
        case left(by: String, origin: SymbolWish.Origin)
    }

    /// The symbol.
    public var symbol: Symbol
    /// The connections that bring it; empty while none has room.
    public var places: [Place]
    /// What names it.
    public var reasons: [Reason]
}
