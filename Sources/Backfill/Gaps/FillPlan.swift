import MarketData
import Store

/// Decides which requests fill a gap. Reads no clock and uses no network.
struct FillPlan: Sendable {
    /// Bars, trades or quotes of one symbol that may be missing.
    struct Request: Sendable, Equatable {
        var symbol: Symbol
        var event: EventKind
        /// The bars' starts, or the ticks' times, in milliseconds since the Unix epoch.
        var starts: ClosedRange<Int64>
        /// The first start that must not be missing. Bars before it are asked for only because they may have been
        /// corrected.
        var needed = Int64.min

        var interval: Bar.Interval { event == .minuteBar ? .minute : .second }
    }

    /// How long after its window a bar may be corrected. A correction that the gap missed belongs to a bar before the
    /// gap.
    static let reach: Int64 = 15 * 60_000

    var requests: [Request] = []
    /// Whether the gap begins before the earliest time that may be asked for.
    var isCut = false
    /// The gap's new state and the reason, when there is nothing to ask for.
    var verdict: (state: GapState, detail: String)?

    /// Plans how to fill a gap.
    ///
    /// - Parameters:
    ///   - everything: the symbols to ask for when the gap names none.
    ///   - earliest: nothing before this is asked for, in milliseconds since the Unix epoch.
    ///   - ticks: which trades and quotes may be asked for.
    init(_ record: GapRecord, everything: Set<Symbol>, earliest: Int64? = nil, ticks: TickAccess = .all) {
        let gap = record.gap
        guard let to = gap.to else {
            verdict = (.open, "events are still being missed")
            return
        }
        guard TradingCalendar.isOpen(from: min(gap.from + 1, to), to: to) else {
            verdict = (.empty, "the market was closed")
            return
        }
        let kinds = gap.events.filter { $0.stream == .bars } + gap.events.filter(ticks.kinds.contains)
        guard !kinds.isEmpty else {
            let why = gap.events.compactMap { ticks.refusals[$0] }
            verdict = (
                .unfillable, why.isEmpty ? "only bars, trades and quotes can be fetched" : why.joined(separator: "; ")
            )
            return
        }
        let symbols = gap.symbols.isEmpty ? everything.sorted() : gap.symbols
        guard !symbols.isEmpty else {
            verdict = (.unfillable, "the symbols are not known")
            return
        }
        for kind in kinds {
            let due: ClosedRange<Int64>? =
                if let interval = kind.interval {
                    Self.starts(interval, from: gap.from, to: to)
                } else {
                    gap.from...max(gap.from, to)
                }
            guard var starts = due else { continue }
            if let earliest, starts.lowerBound < earliest {
                // Only a cut of the gap itself counts, not one of the corrections before it.
                isCut = isCut || earliest > gap.from
                guard earliest <= starts.upperBound else { continue }
                starts = earliest...starts.upperBound
            }
            guard TradingCalendar.isOpen(from: starts.lowerBound, to: to) else { continue }
            let settled = record.settled[kind] ?? []
            // A bar comes when its window is over, so that of the first missed one may have begun before the gap.
            let needed = kind.interval.map { gap.from / $0.milliseconds * $0.milliseconds } ?? .min
            requests += symbols.filter { !settled.contains($0) }.map {
                Request(symbol: $0, event: kind, starts: starts, needed: needed)
            }
        }
        if requests.isEmpty, record.settled.isEmpty, !isCut {
            verdict = (.empty, "no bar was due")
        }
    }

    /// Returns the starts of the bars that were due in a span; `nil` when none was.
    private static func starts(_ interval: Bar.Interval, from: Int64, to: Int64) -> ClosedRange<Int64>? {
        let length = interval.milliseconds
        // From the first window that may have been corrected to the last one that ends by `to`.
        let first = max(0, from - reach) / length * length
        let last = to / length * length - length
        return first <= last ? first...last : nil
    }
}
