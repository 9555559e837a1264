/// The JSON of a batch's events as the feed sent it: where each object lies in the frames that brought them.
///
/// Kept only while somebody wants it (``EventSink/wantsSentEvents``), since a frame is copied for it.
public struct SentEvents: Sendable, Equatable {
    /// The frames, one after the other.
    public private(set) var text = TextArena()
    /// The objects of ``EventBatch/bars``, in their order.
    public var bars: [TextRange] = []
    /// The objects of ``EventBatch/trades``, in their order.
    public var trades: [TextRange] = []
    /// The objects of ``EventBatch/quotes``, in their order.
    public var quotes: [TextRange] = []
    /// The objects of ``EventBatch/limitBands``, in their order.
    public var limitBands: [TextRange] = []
    /// The objects of ``EventBatch/imbalances``, in their order.
    public var imbalances: [TextRange] = []
    /// The objects of ``EventBatch/fairValues``, in their order.
    public var fairValues: [TextRange] = []

    /// Makes an empty one.
    public init() {}

    /// An empty one with room for as much as another has, for `most` events of a kind at most.
    init(asIn other: SentEvents, most: Int) {
        text.reserve(min(other.byteCount, most * 256))
        bars.reserveCapacity(min(other.bars.count, most))
        trades.reserveCapacity(min(other.trades.count, most))
        quotes.reserveCapacity(min(other.quotes.count, most))
        limitBands.reserveCapacity(min(other.limitBands.count, most))
        imbalances.reserveCapacity(min(other.imbalances.count, most))
        fairValues.reserveCapacity(min(other.fairValues.count, most))
    }

    /// The memory that the frames take.
    public var byteCount: Int { text.bytes.count }

    /// Keeps a frame, and returns where it begins.
    public mutating func keep(_ frame: UnsafeRawBufferPointer) -> Int { Int(text.append(frame).offset) }
}

extension EventBatch {
    /// Notes where the event lies that was appended last, if one was since the call before.
    public mutating func noteSent(_ range: TextRange) {
        // Looked at in place: a copy would make each append one of all that came before.
        if let count = sent?.bars.count, count < bars.count {
            sent?.bars.append(range)
        } else if let count = sent?.trades.count, count < trades.count {
            sent?.trades.append(range)
        } else if let count = sent?.quotes.count, count < quotes.count {
            sent?.quotes.append(range)
        } else if let count = sent?.limitBands.count, count < limitBands.count {
            sent?.limitBands.append(range)
        } else if let count = sent?.imbalances.count, count < imbalances.count {
            sent?.imbalances.append(range)
        } else if let count = sent?.fairValues.count, count < fairValues.count {
            sent?.fairValues.append(range)
        }
    }
}
