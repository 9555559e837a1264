/// An aggregate of trades over one window: the feed's `AM` and `A` messages.
///
/// The feed sends a bar again, for up to 15 minutes, when late trades change it; the newest version wins.
@frozen
public struct Bar: Sendable, Equatable, BitwiseCopyable {
    /// A bar's length.
    @frozen
    public enum Interval: Int32, Sendable, Hashable, CaseIterable, BitwiseCopyable {
        /// One second (`A`).
        case second = 1
        /// One minute (`AM`).
        case minute = 60

        /// The length in milliseconds.
        @inlinable public var milliseconds: Int64 { Int64(rawValue) * 1000 }
    }

    /// The ticker (`sym`).
    public var symbol: Symbol
    /// The window's length.
    public var interval: Interval
    /// Whether the ticker trades over the counter (`otc`); `nil` when not sent.
    public var isOTC: Bool?
    /// The window's start, in milliseconds since the Unix epoch (`s`).
    public var start: Int64
    /// The window's end, in milliseconds since the Unix epoch (`e`); start plus interval when not sent.
    public var end: Int64
    /// The first price in the window (`o`), in dollars.
    public var open: Double
    /// The highest price in the window (`h`).
    public var high: Double
    /// The lowest price in the window (`l`).
    public var low: Double
    /// The last price in the window (`c`).
    public var close: Double
    /// Shares traded in the window: the exact `dv` when sent, else `v`.
    public var volume: Double
    /// Volume-weighted average price of the window (`vw`).
    public var vwap: Double?
    /// Shares traded today: the exact `dav` when sent, else `av`.
    public var dayVolume: Double?
    /// Today's official opening price (`op`).
    public var dayOpen: Double?
    /// Today's volume-weighted average price (`a`).
    public var dayVWAP: Double?
    /// Average trade size in the window, in shares (`z`).
    public var averageSize: Double?

    /// Makes a bar; see the properties for meaning and units.
    @inlinable
    public init(
        symbol: Symbol, interval: Interval, start: Int64, end: Int64, open: Double, high: Double, low: Double,
        close: Double, volume: Double, vwap: Double? = nil, dayVolume: Double? = nil, dayOpen: Double? = nil,
        dayVWAP: Double? = nil, averageSize: Double? = nil, isOTC: Bool? = nil
    ) {
        self.symbol = symbol
        self.interval = interval
        self.isOTC = isOTC
        self.start = start
        self.end = end
        self.open = open
        self.high = high
        self.low = low
        self.close = close
        self.volume = volume
        self.vwap = vwap
        self.dayVolume = dayVolume
        self.dayOpen = dayOpen
        self.dayVWAP = dayVWAP
        self.averageSize = averageSize
    }
}
