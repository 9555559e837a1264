public import MarketData

/// Which of the named symbols a box takes.
public struct SymbolShare: Sendable, Equatable {
    /// This box's name among the members.
    public let member: String
    /// Who takes which symbol.
    public let map: ShardMap
    /// Maps by which the box keeps taking symbols until their new owners have them.
    public let older: [ShardMap]
    /// Whether the members are boxes found in the database (`SHARD=auto`), or numbers (`SHARD=k/n`).
    public let isAutomatic: Bool

    /// Makes a share; see the properties for meaning.
    public init(of member: String, in map: ShardMap, older: [ShardMap] = [], isAutomatic: Bool) {
        self.member = member
        self.map = map
        self.older = older
        self.isAutomatic = isAutomatic
    }

    /// Whether the box takes a symbol.
    public func takes(_ symbol: Symbol) -> Bool {
        map.gives(symbol, to: member) || older.contains { $0.gives(symbol, to: member) }
    }
}

/// A summary of the symbols that a box takes, for people.
public struct ShardState: Sendable, Equatable {
    /// The share.
    public let share: SymbolShare
    /// How many symbols it takes now.
    public let symbols: Int
    /// How many symbols the settings name.
    public let total: Int

    /// Its place among the members, from 1.
    public var number: Int { (share.map.members.firstIndex(of: share.member) ?? 0) + 1 }

    /// `shard 2 of 5: 120 of 600 symbols`, and with SHARD=auto the other members.
    var summary: String {
        let others = share.map.members.filter { $0 != share.member }
        return "shard \(number) of \(share.map.members.count): \(symbols) of \(total.counted("symbol"))"
            + (share.isAutomatic
                ? others.isEmpty ? ", no other box shares them" : ", shared with \(DisplayText.list(others))" : "")
            + (share.older.isEmpty ? "" : "; some are kept until the others have them")
    }
}
