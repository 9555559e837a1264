public import MarketData
public import Store
import Synchronization

/// Sits in front of the buffer and passes to the relay what the buffer accepted, in the same order.
///
/// The relay's thread takes events from a bounded queue. If the queue is full, it is emptied and its events are
/// counted: a reader may miss events, but collecting never waits for a reader. Without readers a batch costs one lock.
public final class RelayTap: EventSink {
    /// An item in the queue for the relay's thread.
    enum Item {
        /// Events that the buffer accepted.
        case batch(EventBatch)
        /// A replay's mark. What follows it here also follows the mark in the buffer.
        case mark(replay: Int)
        /// News of gaps. Events before this item came before the news.
        case gaps([Gap])
    }

    private struct State {
        var kinds: KindSet = []
        var items: [Item] = []
        var bytes = 0
        /// Events that were discarded since the queue was last taken.
        var overflowed: Int64 = 0
        /// The gaps that began and are not over.
        var openGaps: Set<Gap> = []
        var wake: (@Sendable () -> Void)?

        mutating func clear() {
            items = []
            bytes = 0
        }

        /// Adds an item; returns the function to call to wake the relay, if it must be woken.
        mutating func add(_ item: Item) -> (@Sendable () -> Void)? {
            items.append(item)
            return items.count == 1 ? wake : nil
        }
    }

    private let buffer: TickBuffer
    private let limit: Int
    private let state = Mutex(State())
    private let kinds = Atomic<KindSet.RawValue>(0)

    /// Makes a tap in front of `buffer` whose queue holds at most `limit` bytes.
    public init(before buffer: TickBuffer, limit: Int) {
        self.buffer = buffer
        self.limit = limit
    }

    /// The kinds of events that readers want as the feed sent them.
    public var wantedText: KindSet { KindSet(rawValue: kinds.load(ordering: .relaxed)) }

    /// Offers a batch to the buffer, and queues it for the readers if the buffer accepted it and they want some of it.
    public func offer(_ batch: EventBatch) -> Admission {
        var stored = batch
        stored.sent = nil
        // One lock around both, so that readers get events in the buffer's order.
        let (admission, wake) = state.withLock { state -> (Admission, (@Sendable () -> Void)?) in
            let admission = buffer.offer(stored)
            guard !state.kinds.isEmpty, admission != .refused, batch.mayHold(state.kinds) else {
                return (admission, nil)
            }
            let size = batch.approximateBytes
            guard state.bytes + size <= limit || state.items.isEmpty else {
                for case .batch(let lost) in state.items { state.overflowed += Int64(lost.count) }
                state.overflowed += Int64(batch.count)
                state.clear()
                return (admission, nil)
            }
            state.bytes += size
            return (admission, state.add(.batch(batch)))
        }
        wake?()
        return admission
    }

    /// Forwards to the buffer.
    public func whenRoom(_ resume: @escaping @Sendable () -> Void) { buffer.whenRoom(resume) }

    /// Forwards to the buffer; readers get a notice.
    public func record(_ change: GapChange) {
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            buffer.record(change)
            state.openGaps.subtract(change.ended)
            state.openGaps.formUnion(change.gaps.filter { $0.to == nil })
            guard !state.kinds.isEmpty, !change.gaps.isEmpty else { return nil }
            return state.add(.gaps(change.gaps))
        }
        wake?()
    }

    /// Forwards to the buffer.
    public func record(_ incident: Incident) { buffer.record(incident) }

    // MARK: The relay's side

    /// Sets the function to call when the queue is no longer empty.
    func attach(_ wake: @escaping @Sendable () -> Void) { state.withLock { $0.wake = wake } }

    /// Keeps events of these kinds from now on, and no others.
    func listen(_ kinds: KindSet) {
        self.kinds.store(kinds.rawValue, ordering: .relaxed)
        state.withLock { state in
            state.kinds = kinds
            if kinds.isEmpty { state.clear() }
        }
    }

    var openGaps: Set<Gap> { state.withLock { $0.openGaps } }

    var queuedBytes: Int { state.withLock { $0.bytes } }

    /// Takes out what is queued, and how many events were discarded before it.
    func take() -> (items: [Item], overflowed: Int64) {
        state.withLock { state in
            defer {
                state.clear()
                state.overflowed = 0
            }
            return (state.items, state.overflowed)
        }
    }

    /// Marks a point in the queue and the same point in the buffer.
    ///
    /// - Parameter reached: Called with each stream's last sequence before the mark, once everything up to it is
    ///   durable; with `nil` if the buffer is closed first.
    func mark(replay: Int, _ reached: @escaping @Sendable (StreamSequences?) -> Void) {
        let wake = state.withLock { state in
            buffer.mark(reached)
            return state.add(.mark(replay: replay))
        }
        wake?()
    }
}
