import FeedServer
import Synchronization

/// A client as the replay sees it: its subscriptions and the faults that act on it; safe to use from any thread.
final class ReplayClient: Sendable {
    private struct State {
        var isStalled = false
        var faults: FaultPlan
        /// The frames held back because the client counts as slow.
        var queue: [Outgoing] = []
    }

    let connection: FeedClient
    private let state: Mutex<State>

    init(_ connection: FeedClient, faults: [Fault]) {
        self.connection = connection
        state = Mutex(State(faults: FaultPlan(faults)))
    }

    var isReceiving: Bool { connection.isSubscribed && !state.withLock { $0.isStalled } }

    var filter: FrameFilter { FrameFilter(subscriptions: connection.subscriptions) }

    /// Whether no fault acts on its frames.
    var isPlain: Bool { state.withLock { $0.faults.isEmpty } }

    /// The size of the fragments, in bytes; `nil` leaves frames whole.
    var fragmentBytes: Int? { state.withLock { $0.faults.fragmentBytes } }

    func nextDecision(spent: inout Set<Int>) -> FaultPlan.Decision {
        state.withLock { $0.faults.nextFrame(spent: &spent) }
    }

    /// Appends a frame to the queue; with `sendsFirst`, removes the queue's first frame and returns it.
    func queue(_ frame: Outgoing, sendsFirst: Bool) -> Outgoing? {
        state.withLock { state in
            state.queue.append(frame)
            return sendsFirst ? state.queue.removeFirst() : nil
        }
    }

    /// Stops sending to it, and leaves the connection open.
    func stall() { state.withLock { $0.isStalled = true } }
}
