/// A bar's numbers, without what a comparison of days doesn't need.
public struct DayBar: Sendable, Equatable {
    /// The window's start, in milliseconds since the Unix epoch.
    public var start: Int64
    /// First price in the window.
    public var open: Double
    /// Highest price in the window.
    public var high: Double
    /// Lowest price in the window.
    public var low: Double
    /// Last price in the window.
    public var close: Double
    /// Shares traded in the window.
    public var volume: Double
    /// Volume-weighted average price of the window.
    public var vwap: Double?
    /// Whether the ticker trades over the counter; `nil` when not known.
    public var isOTC: Bool?
    /// The number of its row in a buffer's file; `nil` when it does not come from one.
    public var sequence: Int64?

    /// Makes a bar; see the properties for meaning and units.
    public init(
        start: Int64, open: Double, high: Double, low: Double, close: Double, volume: Double, vwap: Double? = nil,
        sequence: Int64? = nil
    ) {
        self.start = start
        self.open = open
        self.high = high
        self.low = low
        self.close = close
        self.volume = volume
        self.vwap = vwap
        self.sequence = sequence
    }

    /// The numbers of a bar.
    public init(_ bar: Bar) {
        self.init(
            start: bar.start, open: bar.open, high: bar.high, low: bar.low, close: bar.close, volume: bar.volume,
            vwap: bar.vwap)
        isOTC = bar.isOTC
    }
}

/// How far a table's bars may be off from those that were sent, because its columns round.
public struct BarRounding: Sendable, Equatable {
    /// How far the numbers of a column may be off; not at all unless set.
    public struct Limit: Sendable, Equatable {
        /// The maximum difference, in the column's unit.
        public var difference: Double
        /// The maximum difference as a fraction of the number, in a column of floating-point numbers.
        public var fraction: Double

        /// Makes a limit; see the properties.
        public init(difference: Double = 0, fraction: Double = 0) {
            self.difference = difference
            self.fraction = fraction
        }

        /// Whether `stored` may be what the column made of `sent`.
        public func covers(_ stored: Double, _ sent: Double) -> Bool {
            abs(stored - sent) <= max(difference, abs(sent) * fraction)
        }
    }

    /// The limit of open, high, low and close.
    public var prices = Limit()
    /// The limit of the number of shares.
    public var volume = Limit()
    /// The limit of the average price.
    public var vwap = Limit()

    /// Makes limits of columns that don't round.
    public init() {}
}

extension [DayBar] {
    /// The bars sorted by start, one for each start: the last of several versions.
    public var newest: [DayBar] {
        if zip(self, dropFirst()).allSatisfy({ $0.start < $1.start }) { return self }
        return Dictionary(map { ($0.start, $0) }) { $1 }.values.sorted { $0.start < $1.start }
    }

    /// Returns the bar that starts at a time; the bars must be sorted by start.
    public func bar(at start: Int64) -> DayBar? {
        let place = partitioningIndex { $0.start >= start }
        return place < count && self[place].start == start ? self[place] : nil
    }
}
