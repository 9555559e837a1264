public import MarketData
public import Store
import Synchronization

/// Looks at what passes from the feed to the buffer, for the pages: the newest events and how old they were.
///
/// Stands before the real sink and never holds anything up: a batch goes on first and costs one short lock, a count an
/// event, a note by symbol and a copy of at most ``perBatch`` events here. What it does not keep is only not shown; the sink has it.
public final class EventTap: EventSink {
    /// What passed, for one reader.
    public struct View: Sendable {
        /// The events, oldest first, as far as they are held.
        public var events: [StoredEvent]
        /// The number of the next event that is put in.
        public var end: UInt64
        /// How many events passed, kept or not.
        public var seen: UInt64
    }

    private struct State {
        var ring: EventRing
        var seen: UInt64 = 0
        var latency: [String: LatencyHistogram] = [:]
        var newest = NewestBySymbol()
    }

    /// The most events that are kept of one batch: the newest of each kind.
    static let perBatch = 128
    /// The most connection names with a histogram of their own.
    private static let maximumConnections = 16

    private let sink: any EventSink
    private let state: Mutex<State>

    /// A tap before `sink` that keeps the newest `capacity` events in memory (about 160 bytes each).
    public init(before sink: any EventSink, capacity: Int = 2048) {
        self.sink = sink
        self.state = Mutex(State(ring: EventRing(capacity: capacity)))
    }

    /// Hands the batch on and, when it was taken, looks at it.
    public func offer(_ batch: EventBatch) -> Admission {
        let admission = sink.offer(batch)
        if admission == .accepted || admission == .acceptedStopReading { look(at: batch) }
        return admission
    }

    /// As the sink does.
    public var wantedText: KindSet { sink.wantedText }

    /// As the sink does.
    public func whenRoom(_ resume: @escaping @Sendable () -> Void) {
        sink.whenRoom(resume)
    }

    /// As the sink does.
    public func record(_ gap: Gap) {
        sink.record(gap)
    }

    /// As the sink does.
    public func record(_ change: GapChange) {
        sink.record(change)
    }

    /// As the sink does.
    public func record(_ incident: Incident) {
        sink.record(incident)
    }

    /// The events put in since number `after`, oldest first, as far as they are held.
    public func view(after: UInt64) -> View {
        state.withLock { state in
            let start = min(after, state.ring.end)
            return View(events: state.ring.events(in: start..<state.ring.end), end: state.ring.end, seen: state.seen)
        }
    }

    /// The newest events that match, newest first.
    public func newest(_ limit: Int, where matches: (StoredEvent) -> Bool) -> [StoredEvent] {
        state.withLock { $0.ring.newest(limit, where: matches) }
    }

    /// What last came of each symbol that had an event at a moment or later, in milliseconds since the Unix epoch.
    public func news(since moment: Int64 = 0) -> [SymbolNews] {
        state.withLock { $0.newest.since(moment) }
    }

    /// The ages of all events so far, by the connection's name.
    public var latency: [String: LatencyHistogram] {
        state.withLock { $0.latency }
    }

    private func look(at batch: EventBatch) {
        let received = batch.receivedMicroseconds
        let now = Double(received) / 1000
        state.withLock { state in
            state.seen += UInt64(batch.count)
            if state.latency[batch.connection] != nil || state.latency.count < Self.maximumConnections {
                // In place: a histogram of its own for each read would cost more than a few events do.
                func record(_ ages: inout LatencyHistogram) {
                    batch.forEachHead { ages.record(milliseconds: now - Double($0.end)) }
                }
                record(&state.latency[batch.connection, default: LatencyHistogram()])
            }
            let milliseconds = received / 1000
            for bar in batch.bars { state.newest.note(bar.symbol, at: milliseconds, price: bar.close) }
            for trade in batch.trades { state.newest.note(trade.symbol, at: milliseconds, price: trade.price) }
            for quote in batch.quotes { state.newest.note(quote.symbol, at: milliseconds) }
            for band in batch.limitBands { state.newest.note(band.symbol, at: milliseconds) }
            for imbalance in batch.imbalances { state.newest.note(imbalance.symbol, at: milliseconds) }
            for value in batch.fairValues { state.newest.note(value.symbol, at: milliseconds) }
            batch.forEachNewest(Self.perBatch) { event in
                state.ring.append(
                    StoredEvent(
                        event, texts: batch.text, connection: batch.connection, receivedMicroseconds: received))
            }
        }
    }
}
