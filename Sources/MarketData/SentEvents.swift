/// The JSON of a batch's events as the feed sent it: where each object is in the frames that brought them.
///
/// Only the kinds that the sink wants are kept (``EventSink/wantedText``), because keeping them means copying the frame.
public struct SentEvents: Sendable, Equatable {
    /// The kinds whose objects are kept; the ranges of other kinds are empty.
    public let kinds: KindSet
    /// The frames that hold such events, one after the other.
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

    /// Makes an empty value that keeps these kinds.
    public init(_ kinds: KindSet = .market) { self.kinds = kinds }

    /// Makes an empty value with room for as much as another holds, but for at most `most` events of each kind.
    init(asIn other: SentEvents, most: Int) {
        self.init(other.kinds)
        text.reserve(min(other.byteCount, most * 256))
        bars.reserveCapacity(min(other.bars.count, most))
        trades.reserveCapacity(min(other.trades.count, most))
        quotes.reserveCapacity(min(other.quotes.count, most))
        limitBands.reserveCapacity(min(other.limitBands.count, most))
        imbalances.reserveCapacity(min(other.imbalances.count, most))
        fairValues.reserveCapacity(min(other.fairValues.count, most))
    }

    /// The memory that the frames take, in bytes.
    public var byteCount: Int { text.bytes.count }

    /// Appends a copy of a frame.
    public mutating func keep(_ frame: UnsafeRawBufferPointer) { _ = text.append(frame) }
}

extension EventBatch {
    /// Notes where the event appended since the last call is in the frames; returns whether its kind is wanted.
    public mutating func noteSent(_ range: TextRange) -> Bool {
        // Read in place: with a copy of `sent`, each append would copy everything before it.
        guard let kinds = sent?.kinds else { return false }
        func text(of kind: KindSet) -> TextRange { kinds.contains(kind) ? range : .none }
        let kind: KindSet
        if let count = sent?.bars.count, count < bars.count {
            kind = bars[count].interval == .minute ? .minuteBar : .secondBar
            sent?.bars.append(text(of: kind))
        } else if let count = sent?.trades.count, count < trades.count {
            kind = .trade
            sent?.trades.append(text(of: kind))
        } else if let count = sent?.quotes.count, count < quotes.count {
            kind = .quote
            sent?.quotes.append(text(of: kind))
        } else if let count = sent?.limitBands.count, count < limitBands.count {
            kind = .limitBand
            sent?.limitBands.append(text(of: kind))
        } else if let count = sent?.imbalances.count, count < imbalances.count {
            kind = .imbalance
            sent?.imbalances.append(text(of: kind))
        } else if let count = sent?.fairValues.count, count < fairValues.count {
            kind = .fairValue
            sent?.fairValues.append(text(of: kind))
        } else {
            return false
        }
        return kinds.contains(kind)
    }

    /// Whether the batch may hold events of some kinds. Minute and second bars are not distinguished.
    public func mayHold(_ kinds: KindSet) -> Bool {
        !bars.isEmpty && !kinds.isDisjoint(with: .bars) || !trades.isEmpty && kinds.contains(.trade)
            || !quotes.isEmpty && kinds.contains(.quote) || !limitBands.isEmpty && kinds.contains(.limitBand)
            || !imbalances.isEmpty && kinds.contains(.imbalance) || !fairValues.isEmpty && kinds.contains(.fairValue)
    }
}
