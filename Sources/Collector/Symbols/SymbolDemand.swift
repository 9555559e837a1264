public import MarketData

/// The symbols that are collected because readers of the relay ask for them. Each stays until it has had no reader for
/// a while. Pure.
struct SymbolDemand: Sendable {
    /// How long a symbol is collected after its last reader has gone, so that a reader that reconnects still finds it.
    let patience: Duration
    private var lastRead: [Symbol: ContinuousClock.Instant] = [:]

    init(patience: Duration) { self.patience = patience }

    var count: Int { lastRead.count }

    var symbols: [Symbol] { lastRead.keys.sorted() }

    func contains(_ symbol: Symbol) -> Bool { lastRead[symbol] != nil }

    /// Notes that a reader asks for a symbol.
    mutating func ask(for symbol: Symbol, now: ContinuousClock.Instant) { lastRead[symbol] = now }

    /// Removes the symbols that are no longer wanted, whoever decided that.
    mutating func keep(_ isWanted: (Symbol) -> Bool) { lastRead = lastRead.filter { isWanted($0.key) } }

    /// Notes which symbols are read now. Removes and returns those that have had no reader for too long.
    mutating func look(now: ContinuousClock.Instant, isRead: (Symbol) -> Bool) -> [Symbol] {
        var over: [Symbol] = []
        for (symbol, time) in lastRead {
            if isRead(symbol) {
                lastRead[symbol] = now
            } else if now - time >= patience {
                lastRead[symbol] = nil
                over.append(symbol)
            }
        }
        return over.sorted()
    }
}

/// What is collected because readers of the relay ask for it.
public struct DemandReview: Sendable, Equatable {
    /// The symbols, sorted.
    public var symbols: [Symbol] = []
    /// Those of their channels that the account's plan does not cover.
    public var refused: Set<FeedChannel> = []
}
