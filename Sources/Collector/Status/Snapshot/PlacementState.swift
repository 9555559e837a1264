import Feed
public import MarketData

/// How the connections share the symbols.
public struct PlacementState: Sendable, Equatable {
    /// The number of symbols that are to be collected by name.
    public var wanted = 0
    /// The symbols of those that no connection has room for; they are not collected.
    public var unplaced: [Symbol] = []
    /// The number of symbols on their way from one connection to another.
    public var moving = 0
    /// Events left out because another connection had brought them.
    public var duplicates: Int64 = 0
    /// Events that were forgotten too early to tell a second copy, because too many were remembered.
    public var forgotten: Int64 = 0

    /// Makes the state of a collector without symbols.
    public init() {}
}

extension PlacementState {
    /// The placement, from memory.
    init(_ set: SetSnapshot) {
        wanted = set.wanted
        unplaced = set.unplaced
        moving = set.moving
        duplicates = set.duplicates
        forgotten = set.forgotten
    }
}
