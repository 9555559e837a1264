import MarketData

extension GapChange {
    /// Whether nothing changes.
    var isEmpty: Bool { ended.isEmpty && gaps.isEmpty }

    /// Adds a later change before this one is written; from `limit` gaps on, further gaps that are over are merged.
    mutating func add(_ change: GapChange, limit: Int) {
        for gap in change.ended {
            if let place = gaps.firstIndex(of: gap) { gaps.remove(at: place) } else { ended.append(gap) }
        }
        for gap in change.gaps {
            if gap.to == nil || gaps.count < limit { gaps.append(gap) } else { gaps.merge(gap) }
        }
    }
}

extension Gap {
    /// Whether this is how another gap was recorded when it began.
    func isBeginning(of gap: Gap) -> Bool {
        to == nil && connection == gap.connection && symbols == gap.symbols && events == gap.events && from == gap.from
            && cause == gap.cause
    }
}

extension [Gap] {
    /// Widens the last gap of the same connection and cause that is over, or appends the gap if there is none. The
    /// widened gap has the symbols and kinds of both.
    mutating func merge(_ gap: Gap) {
        let like = lastIndex { $0.connection == gap.connection && $0.cause == gap.cause && $0.to != nil }
        guard let index = like, let to = gap.to, let last = self[index].to else {
            append(gap)
            return
        }
        if self[index].symbols != gap.symbols {
            let isAll = self[index].symbols.isEmpty || gap.symbols.isEmpty
            self[index].symbols = isAll ? [] : Set(self[index].symbols).union(gap.symbols).sorted()
        }
        self[index].events = EventKind.allCases.filter { self[index].events.contains($0) || gap.events.contains($0) }
        self[index].from = Swift.min(self[index].from, gap.from)
        self[index].to = Swift.max(last, to)
        self[index].isUncertain = self[index].isUncertain || gap.isUncertain
    }
}
