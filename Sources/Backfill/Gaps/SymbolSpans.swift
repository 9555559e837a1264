import MarketData

/// Spans of time by symbol, in milliseconds since the Unix epoch. The spans of a symbol are disjoint and sorted. Pure.
struct SymbolSpans: Sendable, Equatable {
    /// The spans by symbol; the key `nil` holds those that apply to every symbol.
    private var spans: [Symbol?: [ClosedRange<Int64>]] = [:]

    /// From the first moment to the last; `nil` when there are no spans.
    var bounds: ClosedRange<Int64>? {
        let (firsts, lasts) = (spans.values.compactMap(\.first), spans.values.compactMap(\.last))
        guard let first = firsts.map(\.lowerBound).min(), let last = lasts.map(\.upperBound).max() else { return nil }
        return first...last
    }

    /// Adds a span for a symbol, or for every symbol, and joins it with those that it touches.
    mutating func insert(_ span: ClosedRange<Int64>, of symbol: Symbol?) {
        var joined = span
        var others: [ClosedRange<Int64>] = []
        for other in spans[symbol] ?? [] {
            if other.upperBound + 1 < span.lowerBound || span.upperBound + 1 < other.lowerBound {
                others.append(other)
            } else {
                joined = min(joined.lowerBound, other.lowerBound)...max(joined.upperBound, other.upperBound)
            }
        }
        let place = others.firstIndex { $0.lowerBound > joined.upperBound } ?? others.endIndex
        others.insert(joined, at: place)
        spans[symbol] = others
    }

    /// Returns the last moment of the span that contains a moment; `nil` when none contains it.
    func end(at time: Int64, of symbol: Symbol) -> Int64? {
        [symbol, nil].compactMap { key in Self.span(at: time, in: spans[key] ?? [])?.upperBound }.max()
    }

    /// Whether a moment is in one of the spans.
    func contains(_ time: Int64, of symbol: Symbol) -> Bool {
        Self.span(at: time, in: spans[symbol] ?? []) != nil || Self.span(at: time, in: spans[nil] ?? []) != nil
    }

    /// Returns the parts of a span that none of the symbol's own spans covers, in order.
    func missing(from span: ClosedRange<Int64>, of symbol: Symbol) -> [ClosedRange<Int64>] {
        var parts: [ClosedRange<Int64>] = []
        var next = span.lowerBound
        for other in spans[symbol] ?? [] where other.upperBound >= next && other.lowerBound <= span.upperBound {
            if next < other.lowerBound { parts.append(next...other.lowerBound - 1) }
            next = other.upperBound + 1
        }
        return next <= span.upperBound ? parts + [next...span.upperBound] : parts
    }

    private static func span(at time: Int64, in spans: [ClosedRange<Int64>]) -> ClosedRange<Int64>? {
        let place = spans.partitioningIndex { $0.upperBound >= time }
        return place < spans.count && spans[place].contains(time) ? spans[place] : nil
    }
}
