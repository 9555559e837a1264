import MarketData
import Synchronization

/// The snapshot of a connection, read by all threads and written by its event loop, once per read.
final class FeedConnectionState: Sendable {
    private let current: Mutex<FeedSnapshot>
    private let kinds: Int
    private let listener = Mutex(Listener())
    private let interests = Atomic(0)

    /// A separate type, because a function stored directly in a generic type gets another wrapper each time it is read
    /// under the lock, until a call takes minutes and finally overflows the stack.
    private struct Listener {
        /// Called after a change that others may wait for: of the status, or of the channels confirmed or given up.
        var body: (@Sendable () -> Void)?
    }

    init(configuration: FeedConfiguration, interest: Interest) {
        current = Mutex(FeedSnapshot(name: configuration.name))
        kinds = configuration.events.count
        assign(interest)
    }

    var snapshot: FeedSnapshot { current.withLock { $0 } }

    /// The number of interests assigned so far.
    var interestNumber: Int { interests.load(ordering: .acquiring) }

    func listen(_ body: @escaping @Sendable () -> Void) { listener.withLock { $0.body = body } }

    func notify() { listener.withLock { $0.body }?() }

    /// Shows a new interest at once, before the feed has heard of it, and returns its number.
    @discardableResult
    func assign(_ interest: Interest) -> Int {
        current.withLock { snapshot in
            snapshot.isSettled = false
            snapshot.isQuiet = false
            let symbols = interest.distinct
            snapshot.takesAll = symbols == nil
            snapshot.assigned = symbols ?? []
            snapshot.channels = (symbols?.count ?? 1) * kinds
            return interests.add(1, ordering: .acquiringAndReleasing).newValue
        }
    }

    func update(_ body: (inout FeedSnapshot) -> Void) { current.withLock { body(&$0) } }
}
