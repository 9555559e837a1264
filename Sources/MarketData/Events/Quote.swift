/// The best bid and offer at one moment: the feed's `Q` message.
///
/// A side that the feed leaves out is `nil`; one that it sends as 0 stays 0.
@frozen
public struct Quote: Sendable, Equatable, BitwiseCopyable {
    /// The ticker (`sym`).
    public var symbol: Symbol
    /// When the quote was made, in milliseconds since the Unix epoch (`t`).
    public var time: Int64
    /// The bid price (`bp`), in dollars.
    public var bid: Double?
    /// The bid size (`bs`), in shares.
    public var bidSize: Double?
    /// The bid exchange's number (`bx`).
    public var bidExchange: Int32?
    /// The ask price (`ap`), in dollars.
    public var ask: Double?
    /// The ask size (`as`), in shares.
    public var askSize: Double?
    /// The ask exchange's number (`ax`).
    public var askExchange: Int32?
    /// The quote condition (`c`).
    public var condition: Int32?
    /// The indicators (`i`), as the JSON array of numbers that was sent, without spaces.
    public var indicators: TextRange?
    /// The tape: 1 NYSE, 2 NYSE Arca and regional, 3 NASDAQ (`z`).
    public var tape: Int32?
    /// The order of events of one ticker (`q`).
    public var sequence: Int64?
    /// When the exchange made it, in milliseconds since the Unix epoch (`pt`).
    public var participantTime: Int64?

    /// Makes a quote; see the properties for meaning and units.
    @inlinable
    public init(
        symbol: Symbol, time: Int64, bid: Double? = nil, bidSize: Double? = nil, bidExchange: Int32? = nil,
        ask: Double? = nil, askSize: Double? = nil, askExchange: Int32? = nil, condition: Int32? = nil,
        indicators: TextRange? = nil, tape: Int32? = nil, sequence: Int64? = nil, participantTime: Int64? = nil
    ) {
        self.symbol = symbol
        self.time = time
        self.bid = bid
        self.bidSize = bidSize
        self.bidExchange = bidExchange
        self.ask = ask
        self.askSize = askSize
        self.askExchange = askExchange
        self.condition = condition
        self.indicators = indicators
        self.tape = tape
        self.sequence = sequence
        self.participantTime = participantTime
    }
}
