public import MarketData
public import Store

/// Decides what to ask for to fill a gap. Reads no clock, knows no network.
public struct FillPlan: Sendable, Equatable {
    /// Bars of one symbol that may be missing.
    public struct Request: Sendable, Equatable {
        /// The symbol.
        public var symbol: Symbol
        /// The bars' kind.
        public var event: EventKind
        /// The bars' starts, in milliseconds since the Unix epoch.
        public var starts: ClosedRange<Int64>

        /// The bars' length.
        public var interval: Bar.Interval { event == .minuteBar ? .minute : .second }
    }

    /// How long after a window's end its bar may come: bars that were due shortly before the gap are asked for too.
    public static let lateness: Int64 = 15_000

    /// What is to be asked for.
    public var requests: [Request] = []
    /// Whether the gap begins before what may be asked for.
    public var isCut = false
    /// What became of the gap, when there is nothing to ask for.
    public var verdict: (state: GapState, detail: String)?

    /// Compares all parts.
    public static func == (left: FillPlan, right: FillPlan) -> Bool {
        left.requests == right.requests && left.isCut == right.isCut && left.verdict?.state == right.verdict?.state
            && left.verdict?.detail == right.verdict?.detail
    }

    /// Plans a gap.
    ///
    /// - Parameters:
    ///   - everything: the symbols to ask for where the gap names none.
    ///   - feedDelay: how late the feed's events are, in milliseconds: 15 minutes on the delayed feed.
    ///   - earliest: bars that start before are left alone, in milliseconds since the Unix epoch.
    public init(_ record: GapRecord, everything: Set<Symbol>, feedDelay: Int64 = 0, earliest: Int64? = nil) {
        let gap = record.gap
        let kinds = gap.events.filter { $0.stream == .bars }
        guard !kinds.isEmpty else {
            verdict = (.unfillable, "trades and quotes cannot be had again")
            return
        }
        let symbols = gap.symbols.isEmpty ? everything.sorted() : gap.symbols
        guard !symbols.isEmpty else {
            verdict = (.unfillable, "the symbols are not known")
            return
        }
        let from = gap.from - feedDelay
        let to = gap.to - feedDelay
        var isClosed = false
        for kind in kinds {
            guard var starts = FillPlan.starts(kind, from: from, to: to) else { continue }
            if let earliest, starts.lowerBound < earliest {
                isCut = true
                guard earliest <= starts.upperBound else { continue }
                starts = earliest...starts.upperBound
            }
            let interval: Bar.Interval = kind == .minuteBar ? .minute : .second
            guard TradingCalendar.isOpen(from: starts.lowerBound, to: starts.upperBound + interval.milliseconds - 1)
            else {
                isClosed = true
                continue
            }
            let settled = record.settled[kind] ?? []
            requests += symbols.filter { !settled.contains($0) }.map {
                Request(symbol: $0, event: kind, starts: starts)
            }
        }
        if requests.isEmpty, record.settled.isEmpty, !isCut {
            verdict = (.empty, isClosed ? "the market was closed" : "no bar was due")
        }
    }

    /// The starts of the bars that were due in a span; `nil` when none was.
    public static func starts(_ kind: EventKind, from: Int64, to: Int64) -> ClosedRange<Int64>? {
        let length: Int64 = kind == .minuteBar ? 60_000 : 1000
        // The first window that ends after `from`, the last that ends by `to`.
        let first = (from - lateness) / length * length
        let last = to / length * length - length
        return first <= last ? first...last : nil
    }
}
