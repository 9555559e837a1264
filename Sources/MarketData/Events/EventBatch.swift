/// The events of one socket read of one connection, in the order received within each kind.
///
/// The unit that the feed hands to the buffer: one hand-over per socket read, never one per event.
public struct EventBatch: Sendable, Equatable {
    /// The name of the connection that delivered the events.
    public var connection: String
    /// When the bytes were read from the socket, in microseconds since the Unix epoch.
    public var receivedMicroseconds: Int64
    /// The source of the events.
    public var source = EventSource.stream
    /// Minute and second bars.
    public var bars: [Bar] = []
    /// Trades; their texts are in ``text``.
    public var trades: [Trade] = []
    /// Quotes; their texts are in ``text``.
    public var quotes: [Quote] = []
    /// Price bands; their texts are in ``text``.
    public var limitBands: [LimitBand] = []
    /// Imbalances; their texts are in ``text``.
    public var imbalances: [Imbalance] = []
    /// Fair values.
    public var fairValues: [FairValue] = []
    /// The texts that events refer to.
    public var text = TextArena()
    /// The events as the feed sent them; `nil` unless the sink wants them (``EventSink/wantedText``).
    public var sent: SentEvents?

    /// Makes an empty batch.
    public init(connection: String, receivedMicroseconds: Int64) {
        self.connection = connection
        self.receivedMicroseconds = receivedMicroseconds
    }

    /// The number of events of all kinds.
    public var count: Int {
        bars.count + trades.count + quotes.count + limitBands.count + imbalances.count + fairValues.count
    }

    /// Whether there is no event.
    public var isEmpty: Bool { count == 0 }

    /// Appends an event, whose texts are in ``text``.
    public mutating func append(_ event: AnyMarketEvent) {
        switch event {
        case .bar(let bar): bars.append(bar)
        case .trade(let trade): trades.append(trade)
        case .quote(let quote): quotes.append(quote)
        case .limitBand(let limitBand): limitBands.append(limitBand)
        case .imbalance(let imbalance): imbalances.append(imbalance)
        case .fairValue(let fairValue): fairValues.append(fairValue)
        }
    }

    /// Roughly the memory that the events take, for bounding queues.
    public var approximateBytes: Int {
        bars.count * MemoryLayout<Bar>.stride + trades.count * MemoryLayout<Trade>.stride
            + quotes.count * MemoryLayout<Quote>.stride + limitBands.count * MemoryLayout<LimitBand>.stride
            + imbalances.count * MemoryLayout<Imbalance>.stride + fairValues.count * MemoryLayout<FairValue>.stride
            + text.bytes.count + (sent?.byteCount ?? 0)
    }

    /// Calls `body` with the head of each event, stream by stream.
    ///
    /// - Parameters:
    ///   - start: how many events are skipped at the beginning of each stream.
    ///   - step: the distance from one event to the next; 1 for all.
    @inlinable
    @inline(__always)
    public func forEachHead(from start: Int = 0, by step: Int = 1, _ body: (EventHead) -> Void) {
        for index in stride(from: start, to: bars.count, by: step) { body(EventHead(bars[index])) }
        for index in stride(from: start, to: trades.count, by: step) { body(EventHead(trades[index])) }
        for index in stride(from: start, to: quotes.count, by: step) { body(EventHead(quotes[index])) }
        for index in stride(from: start, to: limitBands.count, by: step) { body(EventHead(limitBands[index])) }
        for index in stride(from: start, to: imbalances.count, by: step) { body(EventHead(imbalances[index])) }
        for index in stride(from: start, to: fairValues.count, by: step) { body(EventHead(fairValues[index])) }
    }

    /// Calls `body` with the newest events of each stream, `most` of each at most, oldest first.
    @inlinable
    public func forEachNewest(_ most: Int, _ body: (AnyMarketEvent) -> Void) {
        for bar in bars.suffix(most) { body(.bar(bar)) }
        for trade in trades.suffix(most) { body(.trade(trade)) }
        for quote in quotes.suffix(most) { body(.quote(quote)) }
        for limitBand in limitBands.suffix(most) { body(.limitBand(limitBand)) }
        for imbalance in imbalances.suffix(most) { body(.imbalance(imbalance)) }
        for fairValue in fairValues.suffix(most) { body(.fairValue(fairValue)) }
    }

    /// Calls `body` with the number of events of each kind.
    @inlinable
    public func forEachCount(_ body: (EventKind, Int) -> Void) {
        let minutes = bars.reduce(0) { $1.interval == .minute ? $0 + 1 : $0 }
        body(.minuteBar, minutes)
        body(.secondBar, bars.count - minutes)
        body(.trade, trades.count)
        body(.quote, quotes.count)
        body(.limitBand, limitBands.count)
        body(.imbalance, imbalances.count)
        body(.fairValue, fairValues.count)
    }

    /// The latest end of the streams' last events, in milliseconds since the Unix epoch; `nil` for an empty batch.
    public var newestEnd: Int64? {
        var newest: Int64?
        func look(_ end: Int64?) { if let end { newest = max(newest ?? end, end) } }
        look(bars.last?.end)
        look(trades.last?.end)
        look(quotes.last?.end)
        look(limitBands.last?.end)
        look(imbalances.last?.end)
        look(fairValues.last?.end)
        return newest
    }

    /// The head of the last event of each kind.
    public var lastHeads: [EventHead] {
        var heads: [EventHead] = []
        for interval in Bar.Interval.allCases {
            if let bar = bars.last(where: { $0.interval == interval }) { heads.append(EventHead(bar)) }
        }
        if let trade = trades.last { heads.append(EventHead(trade)) }
        if let quote = quotes.last { heads.append(EventHead(quote)) }
        if let limitBand = limitBands.last { heads.append(EventHead(limitBand)) }
        if let imbalance = imbalances.last { heads.append(EventHead(imbalance)) }
        if let fairValue = fairValues.last { heads.append(EventHead(fairValue)) }
        return heads
    }

    /// The number of events of a stream.
    public func count(of stream: EventStream) -> Int {
        switch stream {
        case .bars: bars.count
        case .trades: trades.count
        case .quotes: quotes.count
        case .luld: limitBands.count
        case .imbalances: imbalances.count
        case .fairValues: fairValues.count
        }
    }

    /// Makes room for as many events of each stream as another batch has, at most `most`; keeps their JSON if that
    /// does.
    public mutating func reserve(asIn other: EventBatch, most: Int) {
        bars.reserveCapacity(min(other.bars.count, most))
        trades.reserveCapacity(min(other.trades.count, most))
        quotes.reserveCapacity(min(other.quotes.count, most))
        limitBands.reserveCapacity(min(other.limitBands.count, most))
        imbalances.reserveCapacity(min(other.imbalances.count, most))
        fairValues.reserveCapacity(min(other.fairValues.count, most))
        text.reserve(min(other.text.bytes.count, most * 64))
        sent = other.sent.map { SentEvents(asIn: $0, most: most) }
    }

    /// Removes the events and keeps the memory.
    public mutating func removeAll() {
        bars.removeAll(keepingCapacity: true)
        trades.removeAll(keepingCapacity: true)
        quotes.removeAll(keepingCapacity: true)
        limitBands.removeAll(keepingCapacity: true)
        imbalances.removeAll(keepingCapacity: true)
        fairValues.removeAll(keepingCapacity: true)
        text.removeAll()
        sent = sent.map { SentEvents($0.kinds) }
    }
}
