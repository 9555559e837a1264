import MarketData
import NIOCore
import Store
import Synchronization

/// The messages of the event stream.
enum EventName: String, CaseIterable, Sendable {
    /// Connections whose state changed, and all of them at the start.
    case connectionStatus = "connection_status_update"
    /// The newest market events.
    case tick = "tick_update"
    /// The collector's whole state, every five seconds and when a connection's state changes.
    case metrics = "metrics_update"
}

/// One reader of the event stream, with a bounded queue that drops its oldest message when full.
final class EventClient: Sendable {
    /// The reader's choice of messages and events.
    struct Filter: Sendable, Equatable {
        /// The types of messages; all if empty.
        var names: Set<EventName> = []
        /// The symbols in `tick_update`; all if empty.
        var symbols: Set<Symbol> = []
        /// The kinds of events in `tick_update`; all if empty.
        var kinds: Set<EventKind> = []
        var shape = EventShape.own

        /// Whether every market event passes.
        var takesEveryEvent: Bool { symbols.isEmpty && kinds.isEmpty }

        func takes(_ name: EventName) -> Bool { names.isEmpty || names.contains(name) }

        func takes(_ event: StoredEvent) -> Bool {
            (symbols.isEmpty || symbols.contains(event.symbol)) && (kinds.isEmpty || kinds.contains(event.kind))
        }
    }

    private struct State {
        var dropped = 0
        var lastTaken: ContinuousClock.Instant
    }

    /// The most messages that wait for a reader.
    static let depth = 16

    let filter: Filter
    /// The messages, in order; ends after ``finish()``.
    let messages: AsyncStream<ByteBuffer>
    private let continuation: AsyncStream<ByteBuffer>.Continuation
    private let cutOff: @Sendable () -> Void
    private let state: Mutex<State>

    /// A reader; `cutOff` closes its socket.
    init(filter: Filter, cutOff: @escaping @Sendable () -> Void) {
        self.filter = filter
        self.cutOff = cutOff
        (messages, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.depth))
        state = Mutex(State(lastTaken: .now))
    }

    /// Queues a message; returns whether an older one was dropped for it.
    func offer(_ message: ByteBuffer) -> Bool {
        guard case .dropped = continuation.yield(message) else { return false }
        state.withLock { $0.dropped += 1 }
        return true
    }

    /// Notes that the reader took a message, and returns how many were dropped since it last did.
    func took() -> Int {
        state.withLock { state in
            state.lastTaken = .now
            defer { state.dropped = 0 }
            return state.dropped
        }
    }

    var lastTaken: ContinuousClock.Instant { state.withLock { $0.lastTaken } }

    /// Ends the stream after the queued messages.
    func finish() { continuation.finish() }

    func cut() {
        continuation.finish()
        cutOff()
    }
}
