import MarketData
import NIOCore
import Synchronization

/// Keeps room for the next client: if there are too many sockets, the one that has waited longest for a request is
/// closed, so that health can be queried however many sockets are held open.
final class SocketRoom: Sendable {
    private let refusals: RefusalCounts
    private let room: Mutex<WaitingRoom<ObjectIdentifier, any Channel>>

    init(limit: Int, refusals: RefusalCounts) {
        self.refusals = refusals
        room = Mutex(WaitingRoom(limit: limit))
    }

    /// Adds a new socket, and closes another if there are too many.
    func enter(_ channel: any Channel) {
        guard let evicted = room.withLock({ $0.enter(ObjectIdentifier(channel), channel) }) else { return }
        refusals.count(.room)
        evicted.close(promise: nil)
    }

    /// Notes whether a socket's request is being answered or awaited.
    func change(_ channel: any Channel, isAnswering: Bool) {
        room.withLock { $0.change(ObjectIdentifier(channel), isServed: isAnswering) }
    }

    func leave(_ channel: any Channel) { room.withLock { $0.leave(ObjectIdentifier(channel)) } }
}
