public import MarketData

/// What the last comparison of a symbol's minute bars with the tape found for one day: a row of the table `reconciled`.
///
/// Every minute of the regular session is `present`, `halted` or `untraded`, except those that are `missing` and those
/// whose bar the tape lacks.
public struct ReconciledDay: Sendable, Equatable {
    /// The ticker.
    public var symbol: Symbol
    /// The New York date.
    public var day: TradingDay
    /// Minutes of the regular session.
    public var regular = 0
    /// Of these, minutes with a bar as the tape has it.
    public var present = 0
    /// Of these, minutes without a bar in a trading halt.
    public var halted = 0
    /// Of these, minutes without a bar that no halt explains.
    public var untraded = 0
    /// Bars of the tape, including those outside the regular session.
    public var tape = 0
    /// Bars of the tape that were missing and were added.
    public var added = 0
    /// Bars that were different and were corrected.
    public var corrected = 0
    /// Bars that the tape lacks; they stay.
    public var extra = 0
    /// Bars of the tape that are still missing or different, or that can't be read.
    public var missing = 0
    /// When it was found, in milliseconds since the Unix epoch.
    public var at: Int64

    /// Makes a day without any bars.
    public init(symbol: Symbol, day: TradingDay, at: Int64) {
        self.symbol = symbol
        self.day = day
        self.at = at
    }

    /// Minutes of the regular session with a bar, even one that the tape lacks; correct only for a complete day.
    public var withBar: Int { regular - halted - untraded }

    /// Whether every bar of the tape is here and the same. A tape without any bar proves nothing if there are bars here,
    /// unless it is still empty a day later.
    public var isComplete: Bool { missing == 0 && (tape > 0 || extra == 0 || at >= Self.tapeIsFinal(day)) }

    /// When a day's tape has all that it will have, in milliseconds since the Unix epoch.
    public static func tapeIsFinal(_ day: TradingDay) -> Int64 { day.span.upperBound + 86_400_000 }

    /// The counts, in the order of the table's columns.
    var counts: [Int] { Self.countColumns.map { self[keyPath: $0.path] } }

    private static var countColumns: [(name: String, path: WritableKeyPath<ReconciledDay, Int>)] {
        [
            ("regular", \.regular), ("present", \.present), ("halted", \.halted), ("untraded", \.untraded),
            ("tape", \.tape), ("added", \.added), ("corrected", \.corrected), ("extra", \.extra),
            ("missing", \.missing),
        ]
    }

    /// The columns of the table `reconciled`.
    static let columnList = (["symbol", "day"] + countColumns.map(\.name) + ["at_ms"]).joined(separator: ", ")

    /// Reads a row; `nil` for an invalid one that another program wrote.
    init?(_ cells: Cells) {
        guard let name: String = cells["symbol"], let symbol = Symbol(name), let text: String = cells["day"],
            let day = TradingDay(text), let at: Int64 = cells["at_ms"]
        else { return nil }
        self.init(symbol: symbol, day: day, at: at)
        for (name, path) in Self.countColumns { self[keyPath: path] = cells.count(name) }
    }
}

/// A comparison of a symbol's day with the tape, bar by bar.
public struct DayFinding: Sendable, Equatable {
    /// The counts.
    public var day: ReconciledDay
    /// Starts of the bars that were missing and were added, in milliseconds since the Unix epoch.
    public var added: [Int64]
    /// Starts of the bars that were different and were corrected.
    public var corrected: [Int64]
    /// Starts of the bars that the tape lacks.
    public var extra: [Int64]
    /// Starts of the bars of the tape that are still missing or different.
    public var open: [Int64]
    /// Bars of the tape that can't be read.
    public var unreadable: Int

    /// Makes a finding; see the properties for meaning.
    public init(
        day: ReconciledDay, added: [Int64], corrected: [Int64], extra: [Int64], open: [Int64], unreadable: Int = 0
    ) {
        self.day = day
        self.added = added
        self.corrected = corrected
        self.extra = extra
        self.open = open
        self.unreadable = unreadable
    }
}

/// The sums over several symbols' days.
public struct DayTotals: Sendable, Equatable {
    /// The number of days of symbols.
    public var symbols = 0
    /// Bars of the tape.
    public var tape = 0
    /// Bars that were added.
    public var added = 0
    /// Bars that were corrected.
    public var corrected = 0
    /// Bars that the tape lacks.
    public var extra = 0
    /// Bars of the tape that are still missing or different, or that can't be read.
    public var missing = 0

    /// Bars of the tape that are here and the same.
    public var have: Int { tape - missing }

    /// Sums up some days.
    public init(_ days: [ReconciledDay]) {
        symbols = days.count
        for day in days {
            tape += day.tape
            added += day.added
            corrected += day.corrected
            extra += day.extra
            missing += day.missing
        }
    }

    /// The share of the tape's bars that are here, in whole percent, rounded down: 100 means all; 0 if nothing was
    /// compared.
    public var percent: Int { symbols == 0 ? 0 : tape == 0 ? 100 : have * 100 / tape }
}
