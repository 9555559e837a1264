/// The provider's own estimate of what a ticker is worth: the feed's `FMV` message (Fair Market Value).
@frozen
public struct FairValue: Sendable, Equatable, BitwiseCopyable {
    /// The ticker (`sym`).
    public var symbol: Symbol
    /// The time of the estimate, in milliseconds since the Unix epoch (`t`).
    public var time: Int64
    /// The same time in nanoseconds, when the feed sent it.
    public var timeNanoseconds: Int64?
    /// The value (`fmv`), in dollars.
    public var value: Double

    /// Makes an event; see the properties for meaning and units.
    @inlinable
    public init(symbol: Symbol, time: Int64, timeNanoseconds: Int64?, value: Double) {
        self.symbol = symbol
        self.time = time
        self.timeNanoseconds = timeNanoseconds
        self.value = value
    }
}
