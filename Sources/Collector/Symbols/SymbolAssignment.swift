public import Feed
import MarketData
public import Universe

/// What a connection collects, and why.
public struct SymbolAssignment: Sendable, Equatable {
    /// What was asked for.
    public var wish: SymbolWish
    /// The symbols in force.
    public var interest: Interest
    /// The source of the symbols in force: another key or list than the wish's while that one can't be resolved.
    public var source: SymbolSelection.Origin
    /// Why the symbols in force differ from what was asked for, in one line; `nil` when they don't.
    public var problem: String?
    /// The members of the key in force that the feed has no symbol for, in one line; `nil` if there are none.
    var leftOut: String?

    /// The symbols in force; none if it is every symbol.
    var named: [Symbol] { if case .symbols(let symbols) = interest { symbols } else { [] } }

    /// Whether there is anything to collect.
    public var hasSymbols: Bool { interest != .symbols([]) }
}
