public import MarketData

/// The state of the daily comparison with the tape (`RECONCILE_AT`).
public struct ReconcileState: Sendable, Equatable {
    /// The outcome of a day's comparison.
    public struct Outcome: Sendable, Equatable {
        /// The day.
        public var day: TradingDay
        /// When it was found, in milliseconds since the Unix epoch.
        public var at: Int64
        /// What was found, over the symbols that are collected and were compared.
        public var totals = DayTotals([])
        /// Symbols that could not be compared.
        public var failures = 0
        /// Why one of them, or the day, could not be compared.
        public var problem: String?

        /// Whether symbols were compared, and every bar that the tape has of them is here and the same.
        public var isComplete: Bool { problem == nil && totals.symbols > 0 && totals.missing == 0 }

        /// Makes the outcome of a day of which nothing is known yet.
        public init(day: TradingDay, at: Int64) {
            self.day = day
            self.at = at
        }
    }

    /// The minute of the day in New York at which the last finished day is compared.
    public var minute: Int
    /// The day that is being compared.
    public var underWay: TradingDay?
    /// The outcomes of the last days, the newest first.
    public private(set) var days: [Outcome] = []
    /// When a day is compared next, in milliseconds since the Unix epoch; `nil` before that is known.
    public var next: Int64?
    /// How far this machine's clock was ahead of the REST server's when they were last compared, in milliseconds; 0 if it
    /// was not. Days are compared by the server's time.
    public var clockLead: Int64 = 0

    /// The lead of this machine's clock, in milliseconds, from which it is reported.
    public static let toleratedLead: Int64 = 60_000

    /// Makes a state in which nothing has been compared yet.
    public init(minute: Int) { self.minute = minute }

    /// The days that are not complete.
    public var open: [Outcome] { days.filter { !$0.isComplete } }

    /// Records the outcome of a day.
    public mutating func note(_ outcome: Outcome, atMost count: Int) {
        underWay = nil
        days = (days.filter { $0.day != outcome.day } + [outcome]).sorted { $0.day > $1.day }
        days = Array(days.prefix(count))
    }

    /// The time of day, as it is set: `21:00`.
    public var timeOfDay: String {
        let (hour, minute) = minute.quotientAndRemainder(dividingBy: 60)
        return "\(hour < 10 ? "0" : "")\(hour):\(minute < 10 ? "0" : "")\(minute)"
    }
}
