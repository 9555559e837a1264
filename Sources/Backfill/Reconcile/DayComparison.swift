import MarketData
import Store
import Upstream

/// Compares a symbol's minute bars of a day with the tape's. Pure.
///
/// The database's bars count where there is a database, for the file forgets what it uploaded; else the file's do.
struct DayComparison: Sendable {
    /// A bar of the tape that is missing here, or different.
    struct Change: Sendable, Equatable {
        /// The tape's bar.
        var bar: Bar
        /// Whether there was none.
        var isNew: Bool
        /// The row of the file that has what the tape lacks; `nil` where the file has none.
        var sequence: Int64?
    }

    /// What is to be written for all bars to be the tape's.
    private(set) var changes: [Change] = []
    /// Starts of bars that the tape lacks, in their order.
    private(set) var extra: [Int64] = []
    private let symbol: Symbol
    private let day: TradingDay
    private let tape: [Int64: Bar]
    private let halted: Int
    private let regular: Range<Int64>

    /// Compares.
    ///
    /// - Parameters:
    ///   - file: the file's bars; of several versions the last is the newest.
    ///   - upstream: the database's bars; `nil` without a database.
    ///   - rounding: how far the database's prices may be off, since its columns round.
    init(
        _ symbol: Symbol, on day: TradingDay, tape bars: [Bar], file: [DayBar], upstream: [DayBar]?,
        rounding: Double = 0, halts: [Range<Int64>] = []
    ) {
        self.symbol = symbol
        self.day = day
        let tape = Dictionary(bars.map { ($0.start, $0) }) { $1 }
        self.tape = tape
        let own = Dictionary(file.map { ($0.start, $0) }) { $1 }
        let counting = upstream.map { Dictionary($0.map { ($0.start, $0) }) { $1 } } ?? own
        for start in tape.keys.sorted() {
            guard let bar = tape[start] else { continue }
            let ownDiffers = own[start].map { $0.differs(from: bar, rounding: 0) } ?? false
            let isNew = counting[start] == nil
            guard isNew || ownDiffers || counting[start]?.differs(from: bar, rounding: rounding) == true else {
                continue
            }
            changes.append(Change(bar: bar, isNew: isNew, sequence: own[start]?.sequence))
        }
        extra = Set(own.keys).union(counting.keys).filter { tape[$0] == nil }.sorted()
        regular = day.session.map { $0.regularOpen..<$0.regularClose } ?? 0..<0
        halted = stride(from: regular.lowerBound, to: regular.upperBound, by: 60_000).count { start in
            tape[start] == nil && halts.contains { $0.overlaps(start..<start + 60_000) }
        }
    }

    /// The starts of the bars of the tape that the database still has otherwise, or not at all.
    func open(in stored: [DayBar], rounding: Double) -> Set<Int64> {
        let stored = Dictionary(stored.map { ($0.start, $0) }) { $1 }
        return Set(
            tape.filter { start, bar in stored[start]?.differs(from: bar, rounding: rounding) ?? true }.keys)
    }

    /// What was found, once the changes are made.
    ///
    /// - Parameter open: starts of bars of the tape that are still missing or different.
    func finding(open: Set<Int64>, at: Int64) -> DayFinding {
        var found = ReconciledDay(symbol: symbol, day: day, at: at)
        let made = changes.filter { !open.contains($0.bar.start) }
        let traded = tape.keys.filter(regular.contains)
        found.regular = Int((regular.upperBound - regular.lowerBound) / 60_000)
        found.present = traded.count { !open.contains($0) }
        found.halted = halted
        found.untraded = found.regular - traded.count - halted
        found.tape = tape.count
        found.extra = extra.count
        found.missing = open.count
        let added = made.filter(\.isNew).map(\.bar.start)
        let corrected = made.filter { !$0.isNew }.map(\.bar.start)
        (found.added, found.corrected) = (added.count, corrected.count)
        return DayFinding(day: found, added: added, corrected: corrected, extra: extra, open: open.sorted())
    }
}

extension DayBar {
    /// Whether the tape has other numbers.
    ///
    /// The tape's volume may lack the fractions of shares that the stream tells, and its average price may be rounded
    /// otherwise: less than a share, or a ten-thousandth of the price, is no difference.
    func differs(from bar: Bar, rounding: Double) -> Bool {
        func isOff(_ price: Double, _ other: Double) -> Bool { !(abs(price - other) <= rounding) }
        if isOff(open, bar.open) || isOff(high, bar.high) || isOff(low, bar.low) || isOff(close, bar.close) {
            return true
        }
        guard abs(volume - bar.volume) < 1 else { return true }
        guard let vwap, let other = bar.vwap else { return false }
        return abs(vwap - other) > abs(other) / 10_000
    }
}
