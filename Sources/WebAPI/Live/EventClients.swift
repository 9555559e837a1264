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

    /// Adds a reader; `nil` if there are too many.
    func add(_ client: EventClient) -> Seat? {
        let first: UInt64? = state.withLock { state in
            guard state.clients.count < limit else { return nil }
            state.clients[ObjectIdentifier(client)] = client
            return state.sentThrough
        }
        return first.map { Seat(client: client, first: $0, among: self) }
    }

    private func remove(_ client: EventClient) { state.withLock { $0.clients[ObjectIdentifier(client)] = nil } }

    /// A reader's place, which is free again when nothing holds this any more: if a socket closes before the response's
    /// head is written, its body never runs.
    final class Seat: Sendable {
        /// The number of the first market event that the reader will be sent.
        let first: UInt64
        private let client: EventClient
        private let clients: EventClients

        fileprivate init(client: EventClient, first: UInt64, among clients: EventClients) {
            self.client = client
            self.first = first
            self.clients = clients
        }

        deinit { clients.remove(client) }
    }

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
