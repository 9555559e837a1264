public import MarketData

/// The symbols that a connection should deliver.
public enum Interest: Sendable, Equatable {
    /// Every symbol of the market: the wildcard channels (`AM.*`).
    case all
    /// These symbols; repeated ones count once.
    case symbols([Symbol])
}

extension FeedChannel {
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
