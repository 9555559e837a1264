/// The events of one socket read of one connection, in the order received within each kind.
///
/// The unit that is handed from the feed to the buffer: one hand-over a read, never one an event.
public struct EventBatch: Sendable, Equatable {
    /// The name of the connection that brought the events.
    public var connection: String
    /// When the bytes were read from the socket, in microseconds since the Unix epoch.
    public var receivedMicroseconds: Int64
    /// What brought the events.
    public var source = EventSource.stream
    /// Minute and second bars.
    public var bars: [Bar] = []
    /// Trades; their texts stand in ``text``.
    public var trades: [Trade] = []
    /// Quotes; their texts stand in ``text``.
    public var quotes: [Quote] = []
    /// The texts that trades and quotes refer to.
    public var text = TextArena()

    /// Makes an empty batch.
    public init(connection: String, receivedMicroseconds: Int64) {
        self.connection = connection
        self.receivedMicroseconds = receivedMicroseconds
    }

    /// The number of events of all kinds.
    public var count: Int { bars.count + trades.count + quotes.count }

    /// Whether there is no event.
    public var isEmpty: Bool { bars.isEmpty && trades.isEmpty && quotes.isEmpty }

    /// Roughly the memory that the events take, for bounding queues.
    public var approximateBytes: Int {
        bars.count * MemoryLayout<Bar>.stride + trades.count * MemoryLayout<Trade>.stride
            + quotes.count * MemoryLayout<Quote>.stride + text.bytes.count
    }

    /// Forgets the events and keeps the memory.
    public mutating func removeAll() {
        bars.removeAll(keepingCapacity: true)
        trades.removeAll(keepingCapacity: true)
        quotes.removeAll(keepingCapacity: true)
        text.removeAll()
    }
}
