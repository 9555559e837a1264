public import MarketData

/// Which bars are asked for.
public struct BarQuery: Sendable, Equatable {
    /// The ticker.
    public var symbol: Symbol
    /// The bars' length.
    public var interval: Bar.Interval
    /// The first window's start, in milliseconds since the Unix epoch; `nil` for no bound.
    public var from: Int64?
    /// The windows start before this, in milliseconds since the Unix epoch; `nil` for no bound.
    public var to: Int64?
    /// The most bars to answer; the newest are kept.
    public var limit: Int

    /// Makes a query; see the properties for units.
    public init(symbol: Symbol, interval: Bar.Interval, from: Int64?, to: Int64?, limit: Int) {
        self.symbol = symbol
        self.interval = interval
        self.from = from
        self.to = to
        self.limit = limit
    }
}

/// Bars from the buffer's file.
public struct FoundBars: Sendable, Equatable {
    /// The bars, oldest first.
    public var bars: [Bar]
    /// Whether the file was read as far as needed to be sure that none is missing.
    public var isComplete: Bool

    /// Makes an answer; see the properties for meaning.
    public init(bars: [Bar], isComplete: Bool = true) {
        self.bars = bars
        self.isComplete = isComplete
    }
}

/// Events from the buffer's file.
public struct FoundEvents: Sendable, Equatable {
    /// The events, newest first.
    public var events: [LiveEvent]
    /// Whether the file was read as far as needed to be sure that none is missing.
    public var isComplete: Bool

    /// Makes an answer; see the properties for meaning.
    public init(events: [LiveEvent], isComplete: Bool = true) {
        self.events = events
        self.isComplete = isComplete
    }
}

/// A gap as the buffer's file has it.
public struct RecordedGap: Sendable, Equatable {
    /// The gap.
    public var gap: Gap
    /// The number of symbols missed, when only the count is kept; 0 with no symbols listed means all.
    public var symbolCount: Int

    /// Makes a record; see the properties for meaning.
    public init(gap: Gap, symbolCount: Int) {
        self.gap = gap
        self.symbolCount = symbolCount
    }
}

/// A row that upstream refused.
public struct RefusedEvent: Sendable, Equatable {
    /// The row's stream.
    public var stream: EventStream
    /// The row's number in its stream.
    public var sequence: Int64
    /// The SQLSTATE that refused it.
    public var sqlState: String
    /// Why, in words.
    public var reason: String
    /// The row as JSON text.
    public var row: String
    /// When it was refused, in milliseconds since the Unix epoch.
    public var time: Int64

    /// Makes a refused row; see the properties for meaning.
    public init(stream: EventStream, sequence: Int64, sqlState: String, reason: String, row: String, time: Int64) {
        self.stream = stream
        self.sequence = sequence
        self.sqlState = sqlState
        self.reason = reason
        self.row = row
        self.time = time
    }
}
