/// An event as the buffer stores it: with its place in the stream, its time of receipt and its source.
public struct Buffered<Event: MarketEvent>: Sendable {
    /// The row's number in its stream; grows, never restarts.
    public var sequence: Int64
    /// The event.
    public var event: Event
    /// When it was read from the socket, in microseconds since the Unix epoch.
    public var receivedMicroseconds: Int64
    /// The connection's place in ``BufferedBatch/connections``.
    public var connection: Int32
    /// The source of the row's value.
    public var source: EventSource

    /// Makes a row.
    public init(sequence: Int64, event: Event, receivedMicroseconds: Int64, connection: Int32, source: EventSource) {
        self.sequence = sequence
        self.event = event
        self.receivedMicroseconds = receivedMicroseconds
        self.connection = connection
        self.source = source
    }
}

/// The source of an event.
public enum EventSource: String, CaseIterable, Sendable, Hashable, BitwiseCopyable {
    /// The WebSocket stream.
    case stream
    /// The REST API, filling a gap.
    case backfill
    /// A comparison of a day with the tape, which this row corrects or completes, or the REST API with a correction that
    /// a gap missed; see ``isCorrection(connection:)``.
    case reconcile

    /// Whether a row is a correction that a gap missed. It has ``backfill`` in place of a connection's name, since what
    /// fills the gap brought it.
    public func isCorrection(connection: String) -> Bool {
        self == .reconcile && connection == EventSource.backfill.rawValue
    }
}

/// A run of rows read from the buffer's head, of one stream, in sequence order.
///
/// Only the array of the batch's stream is filled.
public struct BufferedBatch: Sendable {
    /// The stream that the rows belong to.
    public let stream: EventStream
    /// Rows of the stream ``EventStream/bars``.
    public var bars: [Buffered<Bar>] = []
    /// Rows of the stream ``EventStream/trades``.
    public var trades: [Buffered<Trade>] = []
    /// Rows of the stream ``EventStream/quotes``.
    public var quotes: [Buffered<Quote>] = []
    /// Rows of the stream ``EventStream/luld``.
    public var limitBands: [Buffered<LimitBand>] = []
    /// Rows of the stream ``EventStream/imbalances``.
    public var imbalances: [Buffered<Imbalance>] = []
    /// Rows of the stream ``EventStream/fairValues``.
    public var fairValues: [Buffered<FairValue>] = []
    /// The texts that rows refer to.
    public var text = TextArena()
    /// The names that ``Buffered/connection`` refers to.
    public var connections: [String] = []

    /// Makes an empty batch.
    public init(stream: EventStream) { self.stream = stream }

    /// The number of rows.
    public var count: Int {
        bars.count + trades.count + quotes.count + limitBands.count + imbalances.count + fairValues.count
    }

    /// A row's number in its stream; `nil` when there is no such row.
    public func sequence(at index: Int) -> Int64? { mark(at: index)?.sequence }

    /// When a row was read from the socket, in microseconds since the Unix epoch; `nil` when there is no such row.
    public func received(at index: Int) -> Int64? { mark(at: index)?.received }

    /// The first row's sequence; `nil` when empty.
    public var firstSequence: Int64? { sequence(at: 0) }

    /// The last row's sequence; `nil` when empty.
    public var lastSequence: Int64? { sequence(at: count - 1) }

    /// Makes room for rows of the batch's stream.
    public mutating func reserve(_ count: Int) {
        switch stream {
        case .bars: bars.reserveCapacity(count)
        case .trades: trades.reserveCapacity(count)
        case .quotes: quotes.reserveCapacity(count)
        case .luld: limitBands.reserveCapacity(count)
        case .imbalances: imbalances.reserveCapacity(count)
        case .fairValues: fairValues.reserveCapacity(count)
        }
    }

    private func mark(at index: Int) -> (sequence: Int64, received: Int64)? {
        func mark(_ rows: [Buffered<some MarketEvent>]) -> (Int64, Int64)? {
            rows.indices.contains(index) ? (rows[index].sequence, rows[index].receivedMicroseconds) : nil
        }
        return switch stream {
        case .bars: mark(bars)
        case .trades: mark(trades)
        case .quotes: mark(quotes)
        case .luld: mark(limitBands)
        case .imbalances: mark(imbalances)
        case .fairValues: mark(fairValues)
        }
    }
}
