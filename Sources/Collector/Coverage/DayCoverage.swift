public import MarketData
public import Store

/// What is known of each minute of a day's regular session, symbol by symbol: a bar, no trade, a gap, or nothing.
///
/// Pure. Nothing is inferred as complete that nobody checked: a minute without a bar is one without trades only where
/// the REST aggregates were asked for it, by the filling of a gap or by a reconciliation, and where every bar that this
/// brought would be seen here.
public struct DayCoverage: Sendable, Equatable {
    /// What is known of one minute of one symbol.
    public enum Minute: String, Sendable, CaseIterable {
        /// There is a bar.
        case bar = "b"
        /// Nothing was traded: the REST aggregates said so.
        case noTrade = "n"
        /// Its bar is missing, by a recorded gap or drop.
        case gap = "g"
        /// Nobody checked.
        case unknown = "u"
        /// It isn't over yet.
        case ahead = "a"

        /// Where it is among all.
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
            case .noTrade: "no trade, as the REST aggregates said"
            case .gap: "missing: a gap or a drop"
            case .unknown: "unknown: nobody checked"
            case .ahead: "not over yet"
            }
        }
    }

    /// What is known of one symbol's minutes; worked out when it is asked, so that a year of rows stays small.
    public struct Row: Sendable, Equatable {
        /// The symbol.
        public let symbol: Symbol
        /// Whether the day was compared with the tape and nothing stayed open.
        public let isReconciled: Bool
        fileprivate let bars: BitSet
        fileprivate let checked: BitSet
        fileprivate let missing: BitSet
        fileprivate let everyone: BitSet
        /// Whether a bar that anybody collected would be among ``bars``.
        fileprivate let isWhole: Bool
        /// How many minutes the session has, and how many of them are over.
        fileprivate let count: Int
        fileprivate let over: Int

        /// The session's minutes in order.
        public var minutes: [Minute] { (0..<count).map(minute) }

        /// How many minutes there are of each kind; none with 0.
        public var counts: [Minute: Int] {
            var counts = Minute.allCases.map { ($0, 0) }
            if isBlank {
                counts[Minute.unknown.place].1 = over
                counts[Minute.ahead.place].1 = count - over
            } else {
                for place in 0..<count { counts[minute(place).place].1 += 1 }
            }
            return Dictionary(uniqueKeysWithValues: counts.filter { $0.1 > 0 })
        }

        /// Whether nothing is known: of a year, and of symbols that were never collected, most rows are so.
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

    /// What the coverage of a day is decided from.
    public struct Evidence: Sendable {
        /// The minutes of which a bar was found, by symbol.
        public var bars: [Symbol: BitSet] = [:]
        /// Whether every bar of the day that was ever collected is among them.
        public var isWhole = false
        /// Gaps that touch the day.
        public var gaps: [GapRecord] = []
        /// Starts of bars that were given up; of every symbol where none is named.
        public var drops: [(symbol: Symbol?, starts: ClosedRange<Int64>)] = []
        /// The symbols whose day was compared with the tape and has nothing open, each with the minutes that have a bar.
        public var reconciled: [Symbol: Int] = [:]
    }

    let day: TradingDay
    /// The regular session, in milliseconds since the Unix epoch; empty on a closed day.
    public let session: Range<Int64>
    /// The symbols, sorted.
    public let rows: [Row]

    /// Decides what is known of a day.
    ///
    /// - Parameters:
    ///   - symbols: those that are asked about; `nil` for all that the evidence names.
    ///   - now: in milliseconds since the Unix epoch.
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
        /// The minutes whose bars are sent in a span: those that end after its begin, up to its end.
        func minutes(after from: Int64, through to: Int64) -> Range<Int> {
            let first = (from - session.lowerBound) / Self.length
            let last = (to - session.lowerBound) / Self.length
            let lower = from < session.lowerBound ? 0 : Int(first)
            return max(0, lower)..<max(max(0, lower), min(count, to < session.lowerBound ? 0 : Int(last)))
        }
        var missing: [Symbol: BitSet] = [:]
        var checked: [Symbol: BitSet] = [:]
        var everyone = BitSet()
        for record in evidence.gaps where record.gap.events.contains(.minuteBar) {
            let span = minutes(after: record.gap.from, through: record.gap.to ?? now)
            guard !span.isEmpty else { continue }
            let asked = record.settled[.minuteBar] ?? []
            for symbol in asked { for minute in span { checked[symbol, default: BitSet()].insert(minute) } }
            // Another box has what there was, in the database.
            guard record.state != .covered else { continue }
            guard !record.gap.symbols.isEmpty else {
                // A gap of a connection that takes everything, settled: those that nobody asked for had no bars before.
                if GapState.unsettled.contains(record.state) || record.state == .unfillable {
                    for minute in span { everyone.insert(minute) }
                }
                continue
            }
            for symbol in record.gap.symbols where !asked.contains(symbol) {
                for minute in span { missing[symbol, default: BitSet()].insert(minute) }
            }
        }
        for drop in evidence.drops {
            let span = minutes(after: drop.starts.lowerBound, through: drop.starts.upperBound + Self.length)
            for minute in span {
                guard let symbol = drop.symbol else {
                    everyone.insert(minute)
                    continue
                }
                missing[symbol, default: BitSet()].insert(minute)
            }
        }
        let named = symbols ?? Set(evidence.bars.keys).union(missing.keys).union(evidence.reconciled.keys)
        rows = named.sorted().map { symbol in
            let bars = evidence.bars[symbol] ?? BitSet()
            let compared = evidence.reconciled[symbol]
            return Row(
                symbol: symbol, isReconciled: compared != nil, bars: bars, checked: checked[symbol] ?? BitSet(),
                missing: missing[symbol] ?? BitSet(), everyone: everyone,
                // Bars that were there when the day was compared and aren't found now are somewhere else.
                isWhole: evidence.isWhole && bars.count >= compared ?? 0, count: count, over: over)
        }
    }

    private static let length: Int64 = 60_000
}

/// What is known of some days, in numbers.
public struct CoveragePeriod: Sendable, Equatable {
    /// What a period is, in one word.
    public enum State: String, Sendable, CaseIterable, Codable {
        /// There was no trading.
        case closed
        /// Every symbol's days were compared with the tape, and what it had is still there; no day of trading is left out.
        case complete
        /// Bars are known to be missing.
        case gaps
        /// Nothing is known to be missing, but not everything was checked.
        case unchecked
    }

    /// How days are put together.
    public enum Length: String, Sendable, CaseIterable, Codable {
        case day
        case week
        case month

        /// The first day of a day's period. Weeks begin on Monday.
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
    /// The most symbols of one day.
    public private(set) var symbols = 0
    /// Symbols and days, each pair once.
    public private(set) var symbolDays = 0
    /// Those of them that were compared with the tape and have nothing open.
    public private(set) var reconciled = 0
    /// Minutes by what is known of them, over all symbols.
    public private(set) var minutes: [DayCoverage.Minute: Int] = [:]
    /// Whether there is a day with trading of which nothing is known of any symbol.
    private var hasBlankDay = false

    /// What the period is.
    public var state: State {
        if tradingDays == 0 { return .closed }
        if minutes[.gap] != nil { return .gaps }
        let isKnown = minutes[.unknown] == nil && minutes[.ahead] == nil
        return !hasBlankDay && reconciled == symbolDays && isKnown ? .complete : .unchecked
    }

    /// The periods of some days, in order.
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
