import NIOCore
import Synchronization

/// The readers of the event stream; their number is bounded.
final class EventClients: Sendable {
    private struct State {
        var clients: [ObjectIdentifier: EventClient] = [:]
        var sentThrough: UInt64 = 0
        var dropped: Int64 = 0
    }

    let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    /// Adds a reader; returns the number of the first market event that it will be sent, or `nil` if there are too many
    /// readers.
    func add(_ client: EventClient) -> UInt64? {
        state.withLock { state in
            guard state.clients.count < limit else { return nil }
            state.clients[ObjectIdentifier(client)] = client
            return state.sentThrough
        }
    }

    func remove(_ client: EventClient) { state.withLock { $0.clients[ObjectIdentifier(client)] = nil } }

    /// Sets the number of the first market event not sent yet to `through`, and returns the current readers.
    func advance(through: UInt64) -> [EventClient] {
        state.withLock { state in
            state.sentThrough = through
            return Array(state.clients.values)
        }
    }

    /// Queues a message for a reader, and counts the older one that was dropped for it, if any.
    func offer(_ message: ByteBuffer, to reader: EventClient) {
        if reader.offer(message) { state.withLock { $0.dropped += 1 } }
    }

    var count: Int { state.withLock { $0.clients.count } }
    /// The number of messages dropped for newer ones since the start.
    var dropped: Int64 { state.withLock { $0.dropped } }
}
