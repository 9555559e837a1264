import Collector
import Synchronization

/// The relay's state as it is shown. Safe on any thread.
final class RelayBoard: Sendable {
    private let state: Mutex<RelayState>

    init(_ state: RelayState) { self.state = Mutex(state) }

    var current: RelayState { state.withLock { $0 } }

    func sent(events: Int, bytes: Int) {
        update { state in
            state.events += Int64(events)
            state.bytes += Int64(bytes)
        }
    }

    func update(_ change: (inout RelayState) -> Void) { state.withLock { change(&$0) } }
}
