import Synchronization

/// The readers of the event stream; their number is bounded.
final class EventClients: Sendable {
    private struct State {
        var clients: [UInt64: EventClient] = [:]
        var next: UInt64 = 0
        var sentThrough: UInt64 = 0
        var dropped: Int64 = 0
    }

    /// The most readers at once.
    let limit: Int
    private let state = Mutex(State())

    /// A registry of at most `limit` readers.
    init(limit: Int) {
        self.limit = limit
    }

    /// Adds a reader; returns its key and the number of the first market event that it will be sent, or `nil` if there
    /// are too many readers.
    func add(_ client: EventClient) -> (key: UInt64, nextEvent: UInt64)? {
        state.withLock { state in
            guard state.clients.count < limit else { return nil }
            state.next += 1
            state.clients[state.next] = client
            return (state.next, state.sentThrough)
        }
    }

    /// Removes a reader.
    func remove(_ key: UInt64) {
        state.withLock { $0.clients[key] = nil }
    }

    /// Sets the number of the first market event not sent yet to `through`, and returns the current readers.
    func advance(through: UInt64) -> [EventClient] {
        state.withLock { state in
            state.sentThrough = through
            return Array(state.clients.values)
        }
    }

    /// Counts messages that were dropped for newer ones.
    func countDropped(_ count: Int) {
        guard count > 0 else { return }
        state.withLock { $0.dropped += Int64(count) }
    }

    /// The number of readers.
    var count: Int { state.withLock { $0.clients.count } }
    /// The number of messages dropped for newer ones since the start.
    var dropped: Int64 { state.withLock { $0.dropped } }
}
