/// One trade: the feed's `T` message.
///
/// Texts of any length (trade id, conditions) live in the ``EventBatch`` that holds the trade, so the value itself
/// stays flat.
@frozen
public struct Trade: Sendable, Equatable, BitwiseCopyable {
    /// The ticker (`sym`).
    public var symbol: Symbol
    /// When the trade happened, in milliseconds since the Unix epoch (`t`).
    public var time: Int64
    /// The price (`p`), in dollars.
    public var price: Double
    /// Shares: the exact `ds` when sent, else `s`.
    public var size: Double
    /// The exchange's number (`x`).
    public var exchange: Int32?
    /// The tape: 1 NYSE, 2 NYSE Arca and regional, 3 NASDAQ (`z`).
    public var tape: Int32?
    /// The trade's identifier on its exchange (`i`).
    public var tradeID: TextRange?
    /// The sale conditions (`c`), as the JSON array of numbers that was sent, without spaces: `[0,12]`.
    public var conditions: TextRange?
    /// The order of events of one ticker (`q`).
    public var sequence: Int64?
    /// The trade reporting facility's number (`trfi`).
    public var trfID: Int32?
    /// When the trade reporting facility received it, in milliseconds since the Unix epoch (`trft`).
    public var trfTime: Int64?
    /// When the exchange or reporting facility made it, in milliseconds since the Unix epoch (`pt`).
    public var participantTime: Int64?

    /// Makes a trade; see the properties for meaning and units.
    @inlinable
    public init(
        symbol: Symbol, time: Int64, price: Double, size: Double, exchange: Int32? = nil, tape: Int32? = nil,
        tradeID: TextRange? = nil, conditions: TextRange? = nil, sequence: Int64? = nil, trfID: Int32? = nil,
        trfTime: Int64? = nil, participantTime: Int64? = nil
    ) {
        self.symbol = symbol
        self.time = time
        self.price = price
        self.size = size
        self.exchange = exchange
        self.tape = tape
        self.tradeID = tradeID
        self.conditions = conditions
        self.sequence = sequence
        self.trfID = trfID
        self.trfTime = trfTime
        self.participantTime = participantTime
    }
}
