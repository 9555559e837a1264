import MarketData

/// The open gaps of symbols that a box takes over from others, until it has them. Pure.
struct ShardGaps: Sendable {
    /// Those that are recorded.
    private var open: [Gap] = []
    /// Those that begin when the previous owner, which is alive, may give its symbols up.
    private var late: [Gap] = []

    var isEmpty: Bool { open.isEmpty && late.isEmpty }

    /// Adds gaps of symbols that are taken over now, and returns those to record: a later one counts once it begins.
    ///
    /// - Parameter now: the time of the newest events, in milliseconds since the Unix epoch.
    mutating func add(_ gaps: [Gap], now: Int64) -> [Gap] {
        let begun = gaps.filter { $0.from <= now }
        open += begun
        late += gaps.filter { $0.from > now }
        return begun
    }

    /// Ends the gaps of symbols that the box has by now, and begins those that are due, of symbols that it lacks.
    ///
    /// A symbol that the feed never answers for keeps no other symbol's gap open.
    ///
    /// - Parameters:
    ///   - untaken: the symbols that the box should have and lacks.
    ///   - now: the time of the newest events, in milliseconds since the Unix epoch.
    /// - Returns: what to record; `nil` if nothing changes.
    mutating func look(untaken: Set<Symbol>, now: Int64) -> GapChange? {
        var change = GapChange(gaps: [])
        var left: [Gap] = []
        for gap in open {
            var (over, rest) = (gap, gap)
            over.symbols = gap.symbols.filter { !untaken.contains($0) }
            rest.symbols = gap.symbols.filter(untaken.contains)
            if !rest.symbols.isEmpty { left.append(rest) }
            guard !over.symbols.isEmpty else { continue }
            over.to = max(now + Gap.endMargin, gap.from)
            change.ended.append(gap)
            change.gaps += rest.symbols.isEmpty ? [over] : [over, rest]
        }
        for gap in late where gap.from <= now {
            var due = gap
            due.symbols = gap.symbols.filter(untaken.contains)
            guard !due.symbols.isEmpty else { continue }
            left.append(due)
            change.gaps.append(due)
        }
        open = left
        late = untaken.isEmpty ? [] : late.filter { $0.from > now }
        return change.gaps.isEmpty ? nil : change
    }
}
