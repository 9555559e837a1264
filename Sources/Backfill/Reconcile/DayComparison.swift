import MarketData
import Store

/// Compares a symbol's minute bars of a day with the tape's. Pure.
///
/// With a database, its bars count, because the file forgets what it uploaded. Without one, the file's bars count.
struct DayComparison: Sendable {
    /// A bar of the tape that is missing here, or different.
    struct Change: Sendable, Equatable {
        var bar: DayBar
        /// Whether it was missing here.
        var isNew: Bool
        /// The row of the file that keeps the fields the tape lacks; `nil` when the file has none.
        var sequence: Int64?
    }

    /// The bars to write so that all bars match the tape.
    private(set) var changes: [Change] = []
    /// Starts of bars that the tape lacks, in order; empty when a part of the tape can't be read.
    private(set) var extra: [Int64] = []
    /// Whether the tape has no bar at all although there are some here. Then it proves nothing: it may not be loaded yet,
    /// or know the symbol by another name.
    var lacksTape: Bool { tape.isEmpty && !extra.isEmpty }
    let symbol: Symbol
    private let day: TradingDay
    private let tape: [DayBar]
    private let unreadable: Int
    private let halted: Int
    private let regular: Range<Int64>

    /// Compares the bars of a day. Of several versions of a bar in the file, the last is the newest.
    ///
    /// - Parameters:
    ///   - upstream: the database's bars; `nil` without a database.
    ///   - rounding: how far the database's bars may be off, since its columns round.
    init(
        _ symbol: Symbol, on day: TradingDay, tape bars: [DayBar], unreadable: Int = 0, file: [DayBar],
        upstream: [DayBar]?,
        rounding: BarRounding = BarRounding(), halts: [Range<Int64>] = []
    ) {
        self.symbol = symbol
        self.day = day
        let tape = bars.newest
        self.tape = tape
        self.unreadable = unreadable
        let own = file.newest
        let counting = upstream?.newest ?? own
        for bar in tape {
            let (mine, counted) = (own.bar(at: bar.start), counting.bar(at: bar.start))
            let isDifferent =
                mine?.differs(from: bar, rounding: BarRounding()) == true
                || counted?.differs(from: bar, rounding: rounding) == true
            guard counted == nil || isDifferent else { continue }
            changes.append(Change(bar: bar, isNew: counted == nil, sequence: mine?.sequence))
        }
        if unreadable == 0 {
            extra = Set((own + (upstream ?? [])).lazy.map(\.start).filter { tape.bar(at: $0) == nil }).sorted()
        }
        regular = day.session.map { $0.regularOpen..<$0.regularClose } ?? 0..<0
        let lacking = Set(extra)
        halted = stride(from: regular.lowerBound, to: regular.upperBound, by: 60_000).count { start in
            halts.contains { $0.overlaps(start..<start + 60_000) } && tape.bar(at: start) == nil
                && !lacking.contains(start)
        }
    }

    /// Returns the starts of the tape's bars that are different in the database, or missing there.
    func open(in stored: [DayBar], rounding: BarRounding) -> Set<Int64> {
        let stored = stored.newest
        return Set(
            tape.lazy.filter { stored.bar(at: $0.start)?.differs(from: $0, rounding: rounding) ?? true }.map(\.start))
    }

    /// Returns the result, after the changes were made.
    ///
    /// - Parameter open: starts of bars of the tape that are still missing or different.
    func finding(open: Set<Int64>, at: Int64) -> DayFinding {
        var found = ReconciledDay(symbol: symbol, day: day, at: at)
        let made = changes.filter { !open.contains($0.bar.start) }
        let traded = tape.lazy.map(\.start).filter(regular.contains)
        found.regular = Int((regular.upperBound - regular.lowerBound) / 60_000)
        found.present = traded.count { !open.contains($0) }
        found.halted = halted
        found.untraded = max(
            0, found.regular - traded.count - extra.count(where: regular.contains) - halted - unreadable)
        found.tape = tape.count + unreadable
        found.extra = extra.count
        found.missing = open.count + unreadable
        let added = made.filter(\.isNew).map(\.bar.start)
        let corrected = made.filter { !$0.isNew }.map(\.bar.start)
        (found.added, found.corrected) = (added.count, corrected.count)
        return DayFinding(
            day: found, added: added, corrected: corrected, extra: extra, open: open.sorted(), unreadable: unreadable)
    }
}

extension DayBar {
    /// Whether the tape's bar has other numbers.
    ///
    /// The tape's volume may lack the fractions of shares that the stream reports, and its average price may be rounded
    /// differently. So less than a share, or a ten-thousandth of the price, is not a difference.
    func differs(from bar: DayBar, rounding: BarRounding) -> Bool {
        func isOff(_ price: Double, _ other: Double) -> Bool { !rounding.prices.covers(price, other) }
        if isOff(open, bar.open) || isOff(high, bar.high) || isOff(low, bar.low) || isOff(close, bar.close) {
            return true
        }
        guard abs(volume - bar.volume) < 1 || rounding.volume.covers(volume, bar.volume) else { return true }
        guard let vwap, let other = bar.vwap else { return false }
        return !(abs(vwap - other) <= abs(other) / 10_000 || rounding.vwap.covers(vwap, other))
    }
}
