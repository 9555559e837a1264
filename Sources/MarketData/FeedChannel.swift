/// One subscription on the feed: a kind of event of one symbol, or of all (`AM.AAPL`, `AM.*`).
public struct FeedChannel: Hashable, Sendable {
    /// The kind of event.
    public var kind: EventKind
    /// The symbol; `nil` is the wildcard.
    public var symbol: Symbol?

    /// The channel of a kind and a symbol, or of all symbols.
    public init(kind: EventKind, symbol: Symbol?) {
        self.kind = kind
        self.symbol = symbol
    }

    /// Hashes the kind's index, which is faster than hashing its name.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(kind.index)
        hasher.combine(symbol)
    }

    /// Reads a channel as the feed writes it; `nil` for anything else.
    public init?(_ text: some StringProtocol) {
        guard let dot = text.firstIndex(of: "."), let kind = EventKind(rawValue: String(text[..<dot])) else {
            return nil
        }
        let name = text[text.index(after: dot)...]
        let symbol = Symbol(name)
        guard symbol != nil || name == "*" else { return nil }
        self.init(kind: kind, symbol: symbol)
    }
}

extension FeedChannel: CustomStringConvertible {
    /// The channel as the feed writes it.
    public var description: String { "\(kind.rawValue).\(symbol?.description ?? "*")" }
}
