public import MarketData
public import Store

/// What is known about each minute of a day's regular session, symbol by symbol: a bar, no trade, a gap, or nothing.
///
/// Pure. Nothing counts as complete unless it was checked. A minute without a bar counts as one without trades only if
/// the REST aggregates were asked for it, by filling a gap or by a reconciliation, and if every bar that they returned
/// would be seen here.
public struct DayCoverage: Sendable, Equatable {
    /// What is known about one minute of one symbol.
    public enum Minute: String, Sendable, CaseIterable {
        /// There is a bar.
        case bar = "b"
        /// Nothing was traded: the REST aggregates said so.
        case noTrade = "n"
        /// The bar is missing, because of a recorded gap or drop.
        case gap = "g"
        /// It was never checked.
        case unknown = "u"
        /// It isn't over yet.
        case ahead = "a"

        /// Its position among all cases.
        fileprivate var place: Int {
            switch self {
            case .bar: 0
            case .noTrade: 1
            case .gap: 2
            case .unknown: 3
            case .ahead: 4
            }
        }

        /// What it means, for people.
        public var meaning: String {
            switch self {
            case .bar: "a bar"
            case .noTrade: "no trade, according to the REST aggregates"
            case .gap: "missing: a gap or a drop"
            case .unknown: "unknown: never checked"
            case .ahead: "not over yet"
            }
        }
    }

    /// What is known about one symbol's minutes, computed on demand so that a year of rows stays small.
    public struct Row: Sendable, Equatable {
        /// The symbol.
        public let symbol: Symbol
        /// Whether the day was compared with the tape and nothing stayed open.
        public let isReconciled: Bool
        fileprivate let bars: BitSet
        fileprivate let checked: BitSet
        fileprivate let missing: BitSet
        fileprivate let everyone: BitSet
        /// Whether ``bars`` has every bar that was ever collected.
        fileprivate let isWhole: Bool
        /// How many minutes the session has, and how many of them are over.
        fileprivate let count: Int
        fileprivate let over: Int

        /// The session's minutes in order.
        public var minutes: [Minute] { (0..<count).map(minute) }

        /// The number of minutes of each kind; kinds without minutes are left out.
        public var counts: [Minute: Int] {
            var counts = Minute.allCases.map { _ in 0 }
            if isBlank {
                counts[Minute.unknown.place] = over
                counts[Minute.ahead.place] = count - over
            } else {
                for place in 0..<count { counts[minute(place).place] += 1 }
            }
            return Dictionary(uniqueKeysWithValues: zip(Minute.allCases, counts)).filter { $0.value > 0 }
        }

        /// Whether nothing is known. In a year with symbols that were never collected, most rows are blank.
        private var isBlank: Bool {
            !isReconciled && bars.count == 0 && checked.count == 0 && missing.count == 0 && everyone.count == 0
        }

        private func minute(_ place: Int) -> Minute {
            if bars.contains(place) { return .bar }
            if place >= over { return .ahead }
            if isReconciled || checked.contains(place) { return isWhole ? .noTrade : .unknown }
            return missing.contains(place) || everyone.contains(place) ? .gap : .unknown
        }
    }

    /// The evidence for the coverage of a day.
    public struct Evidence: Sendable {
        /// The minutes that have a bar, by symbol.
        public var bars: [Symbol: BitSet] = [:]
        /// Whether `bars` has every bar of the day that was ever collected.
        public var isWhole = false
        /// Gaps that touch the day.
        public var gaps: [GapRecord] = []
        /// The starts of bars that were dropped; without a symbol, those of every symbol.
        public var drops: [(symbol: Symbol?, starts: ClosedRange<Int64>)] = []
        /// The symbols whose day was compared with the tape with nothing left open, each with the number of minutes
        /// that have a bar.
        public var reconciled: [Symbol: Int] = [:]
    }

    let day: TradingDay
    /// The regular session, in milliseconds since the Unix epoch; empty on a closed day.
    public let session: Range<Int64>
    /// The symbols, sorted.
    public let rows: [Row]

    /// Decides what is known about a day.
    ///
    /// - Parameters:
    ///   - symbols: the symbols to report; `nil` for all that the evidence names.
    ///   - now: the present time, in milliseconds since the Unix epoch.
    public init(_ day: TradingDay, symbols: Set<Symbol>?, evidence: Evidence, now: Int64) {
        self.day = day
        let session = day.session.map { $0.regularOpen..<$0.regularClose } ?? 0..<0
        self.session = session
        let count = Int((session.upperBound - session.lowerBound) / Self.length)
        guard count > 0 else {
            rows = []
            return
        }
        let over = Int(max(0, min(Int64(count), (now - session.lowerBound) / Self.length)))
        /// Returns the minutes whose bars are sent in a span: those that end after its start, up to its end.
        func minutes(after from: Int64, through to: Int64) -> Range<Int> {
            let lower = Int(max(0, from - session.lowerBound) / Self.length)
            let upper = Int(max(0, to - session.lowerBound) / Self.length)
            return lower..<max(lower, min(count, upper))
        }
        var missing: [Symbol: BitSet] = [:]
        var checked: [Symbol: BitSet] = [:]
        var everyone = BitSet()
        for record in evidence.gaps where record.gap.events.contains(.minuteBar) {
            let span = minutes(after: record.gap.from, through: record.gap.to ?? now)
            guard !span.isEmpty else { continue }
            let asked = record.settled[.minuteBar] ?? []
            for symbol in asked { checked[symbol, default: BitSet()].insert(span) }
            // Another box has uploaded what there was to the database.
            guard record.state != .covered else { continue }
            guard !record.gap.symbols.isEmpty else {
                // In a settled gap of a connection that takes everything, symbols that were not asked for had no bars
                // before.
                if GapState.unsettled.contains(record.state) || record.state == .unfillable { everyone.insert(span) }
                continue
            }
            for symbol in record.gap.symbols where !asked.contains(symbol) {
                missing[symbol, default: BitSet()].insert(span)
            }
        }
        for (symbol, starts) in evidence.drops {
            let span = minutes(after: starts.lowerBound, through: starts.upperBound + Self.length)
            guard !span.isEmpty else { continue }
            if let symbol { missing[symbol, default: BitSet()].insert(span) } else { everyone.insert(span) }
        }
        let named = symbols ?? Set(evidence.bars.keys).union(missing.keys).union(evidence.reconciled.keys)
        rows = named.sorted().map { symbol in
            let bars = evidence.bars[symbol] ?? BitSet()
            let compared = evidence.reconciled[symbol]
            return Row(
                symbol: symbol, isReconciled: compared != nil, bars: bars, checked: checked[symbol] ?? BitSet(),
                missing: missing[symbol] ?? BitSet(), everyone: everyone,
                // If fewer bars are found than when the day was compared, the rest must be somewhere else.
                isWhole: evidence.isWhole && bars.count >= compared ?? 0, count: count, over: over)
        }
    }

    /// The length of a minute, in milliseconds.
    static let length: Int64 = 60_000
}

/// What is known about some days, in numbers.
public struct CoveragePeriod: Sendable, Equatable {
    /// The state of a period, in one word.
    public enum State: String, Sendable, CaseIterable, Codable {
        /// There was no trading.
        case closed
        /// Every day of every symbol was compared with the tape, what the tape had is still there, and no trading day
        /// is left out.
        case complete
        /// Bars are known to be missing.
        case gaps
        /// Nothing is known to be missing, but not everything was checked.
        case unchecked
    }

    /// How days are grouped into periods.
    public enum Length: String, Sendable, CaseIterable, Codable {
        case day
        case week
        case month

        /// Returns the first day of the period that a day is in. Weeks begin on Monday.
        func first(of day: TradingDay) -> TradingDay {
            switch self {
            case .day: day
            case .week: day.monday
            case .month: day.firstOfMonth
            }
        }
    }

    /// The first day.
    public private(set) var first: TradingDay
    /// The last day.
    public private(set) var last: TradingDay
    /// Days with trading.
    public private(set) var tradingDays = 0
    /// The largest number of symbols on one day.
    public private(set) var symbols = 0
    /// The number of pairs of symbol and day.
    public private(set) var symbolDays = 0
    /// The number of those pairs that were compared with the tape with nothing left open.
    public private(set) var reconciled = 0
    /// The number of minutes by what is known about them, over all symbols.
    public private(set) var minutes: [DayCoverage.Minute: Int] = [:]
    /// Whether nothing is known about any symbol on some trading day.
    private var hasBlankDay = false

    /// The state of the period.
    public var state: State {
        if tradingDays == 0 { return .closed }
        if minutes[.gap] != nil { return .gaps }
        let isKnown = minutes[.unknown] == nil && minutes[.ahead] == nil
        return !hasBlankDay && reconciled == symbolDays && isKnown ? .complete : .unchecked
    }

    /// Groups some days into periods, in order.
    public static func periods(of days: [DayCoverage], by length: Length) -> [CoveragePeriod] {
        var periods: [CoveragePeriod] = []
        for day in days.sorted(by: { $0.day < $1.day }) {
            if let last = periods.last, length.first(of: last.first) == length.first(of: day.day) {
                periods[periods.count - 1].add(day)
            } else {
                periods.append(CoveragePeriod(day))
            }
        }
        return periods
    }

    private init(_ day: DayCoverage) {
        (first, last) = (day.day, day.day)
        add(day)
    }

    private mutating func add(_ day: DayCoverage) {
        last = day.day
        guard !day.session.isEmpty else { return }
        tradingDays += 1
        hasBlankDay = hasBlankDay || day.rows.isEmpty
        symbols = max(symbols, day.rows.count)
        symbolDays += day.rows.count
        for row in day.rows {
            reconciled += row.isReconciled ? 1 : 0
            minutes.merge(row.counts, uniquingKeysWith: +)
        }
    }
}
