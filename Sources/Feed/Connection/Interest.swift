public import MarketData

/// The symbols that a connection should deliver.
public enum Interest: Sendable, Equatable {
    /// Every symbol of the market: the wildcard channels (`AM.*`).
    case all
    /// These symbols; repeated ones count once.
    case symbols([Symbol])

    /// The symbols, each once; `nil` for all.
    var distinct: [Symbol]? {
        guard case .symbols(let symbols) = self else { return nil }
        var seen: Set<Symbol> = []
        return symbols.filter { seen.insert($0).inserted }
    }
}

/// Symbols that were missed before they were wanted: since the previous collector of the file.
struct MissedSymbols: Sendable {
    var symbols: Set<Symbol>
    /// How far that collector got.
    var life: PreviousLife

    func contains(_ channel: FeedChannel) -> Bool { channel.symbol.map(symbols.contains) ?? false }
}

extension FeedChannel {
    /// The channels of an interest, in the order of its symbols, kinds in the order of ``EventKind``.
    static func channels(of interest: Interest, events: Set<EventKind>) -> [FeedChannel] {
        let kinds = EventKind.allCases.filter(events.contains)
        let symbols: [Symbol?] = interest.distinct.map { $0.map(Optional.some) } ?? [nil]
        return symbols.flatMap { symbol in kinds.map { FeedChannel(kind: $0, symbol: symbol) } }
    }
}
