import MarketData

extension [Gap] {
    /// Widens the last gap of the same connection and cause, where there is one; its symbols and kinds become those of
    /// both.
    mutating func merge(_ gap: Gap) {
        guard let index = lastIndex(where: { $0.connection == gap.connection && $0.cause == gap.cause }) else {
            append(gap)
            return
        }
        if self[index].symbols != gap.symbols {
            let isAll = self[index].symbols.isEmpty || gap.symbols.isEmpty
            self[index].symbols = isAll ? [] : Set(self[index].symbols).union(gap.symbols).sorted()
        }
        self[index].events = EventKind.allCases.filter { self[index].events.contains($0) || gap.events.contains($0) }
        self[index].from = Swift.min(self[index].from, gap.from)
        self[index].to = Swift.max(self[index].to, gap.to)
    }
}
