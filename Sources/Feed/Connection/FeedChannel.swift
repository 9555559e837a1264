import MarketData

/// One subscription on the feed: a kind of event of one symbol, or of all (`AM.AAPL`, `AM.*`).
struct FeedChannel: Hashable, Sendable {
    /// The kind of event.
    var kind: EventKind
    /// The symbol; `nil` is the wildcard.
    var symbol: Symbol?

    init(kind: EventKind, symbol: Symbol?) {
        self.kind = kind
        self.symbol = symbol
    }

    /// Reads a channel as the feed writes it; `nil` when it is none.
    init?(_ text: some StringProtocol) {
        guard let dot = text.firstIndex(of: "."), let kind = EventKind(rawValue: String(text[..<dot])) else {
            return nil
        }
        let name = text[text.index(after: dot)...]
        if name == "*" {
            self.init(kind: kind, symbol: nil)
        } else if let symbol = Symbol(name) {
            self.init(kind: kind, symbol: symbol)
        } else {
            return nil
        }
    }

    /// The channels of an interest, in the order of its symbols, kinds in the order of ``EventKind``.
    static func channels(of interest: Interest, events: Set<EventKind>) -> [FeedChannel] {
        let kinds = EventKind.allCases.filter(events.contains)
        switch interest {
        case .all:
            return kinds.map { FeedChannel(kind: $0, symbol: nil) }
        case .symbols(let symbols):
            var seen: Set<Symbol> = []
            return symbols.filter { seen.insert($0).inserted }.flatMap { symbol in
                kinds.map { FeedChannel(kind: $0, symbol: symbol) }
            }
        }
    }
}

extension FeedChannel: CustomStringConvertible {
    /// The channel as the feed writes it.
    var description: String { "\(kind.rawValue).\(symbol?.description ?? "*")" }
}
