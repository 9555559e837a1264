public import MarketData

/// What a client has subscribed to, and whether it wants an event.
public struct Subscriptions: Sendable {
    /// The channels subscribed to.
    public private(set) var channels: Set<FeedChannel> = []
    private var wildcards: KindSet = []
    private var symbols = [Set<Symbol>](repeating: [], count: KindSet.count)

    /// Makes an empty set of subscriptions.
    public init() {}

    /// Adds a channel; returns `false` when it was present already.
    public mutating func insert(_ channel: FeedChannel) -> Bool {
        guard channels.insert(channel).inserted else { return false }
        let kind = KindSet(channel.kind)
        if let symbol = channel.symbol { symbols[kind.index].insert(symbol) } else { wildcards.insert(kind) }
        return true
    }

    /// Removes a channel; returns `false` when it wasn't present.
    mutating func remove(_ channel: FeedChannel) -> Bool {
        guard channels.remove(channel) != nil else { return false }
        let kind = KindSet(channel.kind)
        if let symbol = channel.symbol { symbols[kind.index].remove(symbol) } else { wildcards.remove(kind) }
        return true
    }

    /// Whether all events of these kinds are wanted. Kinds that no channel covers go to every client that has a
    /// wildcard.
    public func wantsAll(of kinds: KindSet) -> Bool {
        wildcards.isSuperset(of: kinds.intersection(.market)) && !(wildcards.isEmpty && !kinds.isEmpty)
    }

    /// Whether no event of these kinds can be wanted.
    public func wantsNone(of kinds: KindSet) -> Bool {
        if !wildcards.isDisjoint(with: kinds) || (kinds.contains(.other) && !wildcards.isEmpty) { return false }
        return !symbols.indices.contains { kinds.rawValue & 1 << UInt16($0) != 0 && !symbols[$0].isEmpty }
    }

    /// Whether an event is wanted.
    public func wants(_ kind: KindSet, _ symbol: () -> Symbol?) -> Bool {
        if wildcards.contains(kind) || (kind == .other && !wildcards.isEmpty) { return true }
        guard kind.isSubset(of: .market), !symbols[kind.index].isEmpty, let symbol = symbol() else { return false }
        return symbols[kind.index].contains(symbol)
    }
}
