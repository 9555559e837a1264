/// The orders of an auction that find no counterpart: the feed's `NOI` message (Net Order Imbalance).
@frozen
public struct Imbalance: Sendable, Equatable, BitwiseCopyable {
    /// The ticker (`T`).
    public var symbol: Symbol
    /// The time of the imbalance, in milliseconds since the Unix epoch (`t`).
    public var time: Int64
    /// The same time in nanoseconds, when the feed sent it.
    public var timeNanoseconds: Int64?
    /// The auction's scheduled time in New York, as hours and minutes (`at`): 1600 is four in the afternoon.
    public var auctionTime: Int32?
    /// The kind of auction (`a`), a letter: `O` early opening, `M` core opening, `H` reopening, `C` closing, `P`
    /// extreme and `R` regulatory closing imbalance.
    public var auctionType: TextRange?
    /// The order of events of one ticker (`i`).
    public var sequence: Int64?
    /// The exchange's number (`x`).
    public var exchange: Int32?
    /// Shares without a counterpart (`o`).
    public var imbalance: Double?
    /// Shares with a counterpart (`p`).
    public var paired: Double?
    /// The price at which the book would clear (`b`), in dollars.
    public var clearingPrice: Double?

    /// Makes an event; see the properties for meaning and units.
    @inlinable
    public init(
        symbol: Symbol, time: Int64, timeNanoseconds: Int64?, auctionTime: Int32? = nil,
        auctionType: TextRange? = nil, sequence: Int64? = nil, exchange: Int32? = nil, imbalance: Double? = nil,
        paired: Double? = nil, clearingPrice: Double? = nil
    ) {
        self.symbol = symbol
        self.time = time
        self.timeNanoseconds = timeNanoseconds
        self.auctionTime = auctionTime
        self.auctionType = auctionType
        self.sequence = sequence
        self.exchange = exchange
        self.imbalance = imbalance
        self.paired = paired
        self.clearingPrice = clearingPrice
    }
}
