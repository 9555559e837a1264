public import Feed
import MarketData
public import Universe

/// What a connection is to collect, and why.
public struct SymbolAssignment: Sendable, Equatable {
    /// What was asked for.
    public var wish: SymbolWish
    /// The symbols in force.
    public var interest: Interest
    /// What named the symbols in force: another key or list than the wish's while that can't be resolved.
    public var source: SymbolSelection.Origin
    /// Why what is in force is not what was asked for, in one line; `nil` when it is.
    public var problem: String?

    /// Whether there is anything to collect.
    public var hasSymbols: Bool { interest != .symbols([]) }
}
