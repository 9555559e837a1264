/// The JSON of a batch's events as the feed sent it: where each object lies in the frames that brought them.
///
/// Kept only of the kinds that somebody wants (``EventSink/wantedText``), since a frame is copied for it.
public struct SentEvents: Sendable, Equatable {
    /// The kinds whose objects are kept; of others the ranges are empty.
    public let kinds: KindSet
    /// The frames with such events, one after the other.
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
    public init(_ kinds: KindSet = .market) { self.kinds = kinds }

    /// An empty one with room for as much as another has, for `most` events of a kind at most.
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

    /// The memory that the frames take.
    public var byteCount: Int { text.bytes.count }

    /// Keeps a frame, behind those that are kept already.
    public mutating func keep(_ frame: UnsafeRawBufferPointer) { _ = text.append(frame) }
}

extension EventBatch {
    /// Notes where the event lies that was appended last, if one was since the call before.
    ///
    /// - Returns: Whether its kind is wanted.
    public mutating func noteSent(_ range: TextRange) -> Bool {
        // Looked at in place: a copy would make each append one of all that came before.
        guard let kinds = sent?.kinds else { return false }
        func text(of kind: KindSet) -> TextRange { kinds.contains(kind) ? range : .none }
        if let count = sent?.bars.count, count < bars.count {
            let kind: KindSet = bars[count].interval == .minute ? .minuteBar : .secondBar
            sent?.bars.append(text(of: kind))
            return kinds.contains(kind)
        }
        if let count = sent?.trades.count, count < trades.count {
            sent?.trades.append(text(of: .trade))
            return kinds.contains(.trade)
        }
        if let count = sent?.quotes.count, count < quotes.count {
            sent?.quotes.append(text(of: .quote))
            return kinds.contains(.quote)
        }
        if let count = sent?.limitBands.count, count < limitBands.count {
            sent?.limitBands.append(text(of: .limitBand))
            return kinds.contains(.limitBand)
        }
        if let count = sent?.imbalances.count, count < imbalances.count {
            sent?.imbalances.append(text(of: .imbalance))
            return kinds.contains(.imbalance)
        }
        if let count = sent?.fairValues.count, count < fairValues.count {
            sent?.fairValues.append(text(of: .fairValue))
            return kinds.contains(.fairValue)
        }
        return false
    }

    /// Whether it may hold events of some kinds.
    public func mayHold(_ kinds: KindSet) -> Bool {
        !bars.isEmpty && !kinds.isDisjoint(with: .bars) || !trades.isEmpty && kinds.contains(.trade)
            || !quotes.isEmpty && kinds.contains(.quote) || !limitBands.isEmpty && kinds.contains(.limitBand)
            || !imbalances.isEmpty && kinds.contains(.imbalance) || !fairValues.isEmpty && kinds.contains(.fairValue)
    }
}
