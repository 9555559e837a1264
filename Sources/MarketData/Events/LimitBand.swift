/// The price bands of a ticker, or a halt or its end: the feed's `LULD` message (Limit Up-Limit Down).
@frozen
public struct LimitBand: Sendable, Equatable, BitwiseCopyable {
    /// The ticker (`T`).
    public var symbol: Symbol
    /// The time of the bands or the halt, in milliseconds since the Unix epoch (`t`).
    public var time: Int64
    /// The same time in nanoseconds, when the feed sent it.
    public var timeNanoseconds: Int64?
    /// The upper price band (`h`), in dollars.
    public var high: Double?
    /// The lower price band (`l`), in dollars.
    public var low: Double?
    /// The indicators (`i`), as a JSON array of numbers without spaces; 17 is a halt, 18 its end.
    public var indicators: TextRange?
    /// The tape: 1 NYSE, 2 NYSE Arca and regional, 3 NASDAQ (`z`).
    public var tape: Int32?
    /// The order of events of one ticker (`q`).
    public var sequence: Int64?

    /// Makes an event; see the properties for meaning and units.
    @inlinable
    public init(
        symbol: Symbol, time: Int64, timeNanoseconds: Int64?, high: Double? = nil, low: Double? = nil,
        indicators: TextRange? = nil, tape: Int32? = nil, sequence: Int64? = nil
    ) {
        self.symbol = symbol
        self.time = time
        self.timeNanoseconds = timeNanoseconds
        self.high = high
        self.low = low
        self.indicators = indicators
        self.tape = tape
        self.sequence = sequence
    }
}
