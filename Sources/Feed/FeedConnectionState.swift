import MarketData
import Synchronization

/// The snapshot that all threads read and the connection's event loop writes, once a read.
final class FeedConnectionState: Sendable {
    private let current: Mutex<FeedSnapshot>
    private let kinds: Int

    init(configuration: FeedConfiguration, interest: Interest) {
        current = Mutex(FeedSnapshot(name: configuration.name))
        kinds = configuration.events.count
        assign(interest)
    }

    var snapshot: FeedSnapshot { current.withLock { $0 } }

    /// Shows a new interest at once, before the feed has heard of it.
    func assign(_ interest: Interest) {
        current.withLock { snapshot in
            switch interest {
            case .all:
                snapshot.takesAll = true
                snapshot.assigned = []
                snapshot.channels = kinds
            case .symbols(let symbols):
                var seen: Set<Symbol> = []
                snapshot.takesAll = false
                snapshot.assigned = symbols.filter { seen.insert($0).inserted }
                snapshot.channels = snapshot.assigned.count * kinds
            }
        }
    }

    func update(_ body: (inout FeedSnapshot) -> Void) {
        current.withLock { body(&$0) }
    }
}
