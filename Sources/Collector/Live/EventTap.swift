public import MarketData
public import Store
import Synchronization

/// Samples what passes from the feed to the buffer, for the pages: the newest events and how old they were.
///
/// The tap is in front of the real sink and never delays it: a batch is passed on first, and then costs one short lock,
/// one count and one note by symbol for each event, and a copy of at most ``perBatch`` events of each kind. An event that
/// is not kept here is merely not shown; the sink has it.
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
        var ring: Ring<StoredEvent>
        var seen: UInt64 = 0
        var latency: [String: LatencyHistogram] = [:]
        var newest = NewestBySymbol()
    }

    /// The most events that are kept of one batch: the newest of each kind.
    static let perBatch = 128
    /// The most connection names that get a histogram.
    private static let maximumConnections = 16

    private let sink: any EventSink
    private let state: Mutex<State>

    /// Makes a tap in front of `sink` that keeps the newest `capacity` events in memory (about 160 bytes each).
    public init(before sink: any EventSink, capacity: Int = 2048) {
        self.sink = sink
        self.state = Mutex(State(ring: Ring(capacity: capacity)))
    }

    /// Passes the batch on and, if it was accepted, samples it.
    public func offer(_ batch: EventBatch) -> Admission {
        let admission = sink.offer(batch)
        if admission == .accepted || admission == .acceptedStopReading { look(at: batch) }
        return admission
    }

    /// The sink's value.
    public var wantedText: KindSet { sink.wantedText }

    /// Passes the call on to the sink.
    public func whenRoom(_ resume: @escaping @Sendable () -> Void) { sink.whenRoom(resume) }

    /// Passes the change on to the sink.
    public func record(_ change: GapChange) { sink.record(change) }

    /// Passes the incident on to the sink.
    public func record(_ incident: Incident) { sink.record(incident) }

    /// Returns the events added since number `after` that are still held, oldest first.
    public func view(after: UInt64) -> View {
        state.withLock { state in
            View(events: state.ring.elements(from: after), end: state.ring.end, seen: state.seen)
        }
    }

    /// Returns the newest events that match, newest first.
    public func newest(_ limit: Int, where matches: (StoredEvent) -> Bool) -> [StoredEvent] {
        state.withLock { $0.ring.newest(limit, where: matches) }
    }

    /// Returns the latest news of each symbol that had an event at or after a moment, in milliseconds since the Unix
    /// epoch.
    public func news(since moment: Int64 = 0) -> [SymbolNews] { state.withLock { $0.newest.since(moment) } }

    /// The ages of all events so far, by the connection's name.
    public var latency: [String: LatencyHistogram] { state.withLock { $0.latency } }

    private func look(at batch: EventBatch) {
        let received = batch.receivedMicroseconds
        let now = Double(received) / 1000
        state.withLock { state in
            state.seen += UInt64(batch.count)
            if state.latency[batch.connection] != nil || state.latency.count < Self.maximumConnections {
                // In place: copying a histogram for each read would cost more than recording a few events.
                func record(_ ages: inout LatencyHistogram) {
                    batch.forEachHead { ages.record(milliseconds: now - Double($0.end)) }
                }
                record(&state.latency[batch.connection, default: LatencyHistogram()])
            }
            let milliseconds = received / 1000
            for bar in batch.bars { state.newest.note(bar.symbol, at: milliseconds, price: bar.close, of: bar.end) }
            for trade in batch.trades {
                state.newest.note(trade.symbol, at: milliseconds, price: trade.price, of: trade.time)
            }
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
