public import MarketData
public import Store
import Synchronization

/// Stands before the buffer and hands the relay what the buffer took, in the order in which it took it.
///
/// The relay's thread takes events out of a bounded queue. A full queue is emptied and counted: a reader can miss
/// events, the collecting never waits for one. Without readers a batch costs one lock.
public final class RelayTap: EventSink {
    /// What waits for the relay's thread.
    enum Item {
        /// Events that the buffer took.
        case batch(EventBatch)
        /// What comes behind this is behind the buffer's mark of a replay.
        case mark(replay: Int)
        /// What became known of gaps; events before it came before.
        case gaps([Gap])
    }

    private struct State {
        /// The kinds that readers want.
        var kinds: KindSet = []
        var items: [Item] = []
        var bytes = 0
        /// Events that were thrown away since the queue was taken.
        var overflowed: Int64 = 0
        /// The gaps that began and are not over.
        var openGaps: Set<Gap> = []
        var wake: (@Sendable () -> Void)?

        /// Adds an item, and returns whom to wake for it.
        mutating func add(_ item: Item) -> (@Sendable () -> Void)? {
            items.append(item)
            return items.count == 1 ? wake : nil
        }
    }

    private let buffer: TickBuffer
    private let limit: Int
    private let state = Mutex(State())
    private let kinds = Atomic<KindSet.RawValue>(0)

    /// A tap before `buffer` whose queue holds at most `limit` bytes.
    public init(before buffer: TickBuffer, limit: Int) {
        self.buffer = buffer
        self.limit = limit
    }

    /// The kinds of which a reader wants the events as the feed sent them.
    public var wantedText: KindSet { KindSet(rawValue: kinds.load(ordering: .relaxed)) }

    /// Hands a batch on, and keeps it for the readers when it was taken and they want some of it.
    public func offer(_ batch: EventBatch) -> Admission {
        var stored = batch
        stored.sent = nil
        // One lock around both, so that the readers' order is the buffer's.
        let (admission, wake) = state.withLock { state -> (Admission, (@Sendable () -> Void)?) in
            let admission = buffer.offer(stored)
            guard !state.kinds.isEmpty, admission != .refused, batch.mayHold(state.kinds) else {
                return (admission, nil)
            }
            let size = batch.approximateBytes
            guard state.bytes + size <= limit || state.items.isEmpty else {
                for case .batch(let lost) in state.items { state.overflowed += Int64(lost.count) }
                state.overflowed += Int64(batch.count)
                state.items = []
                state.bytes = 0
                return (admission, nil)
            }
            state.bytes += size
            return (admission, state.add(.batch(batch)))
        }
        wake?()
        return admission
    }

    /// As the buffer does.
    public func whenRoom(_ resume: @escaping @Sendable () -> Void) { buffer.whenRoom(resume) }

    /// As the buffer does; readers get a notice.
    public func record(_ gap: Gap) { record(GapChange(gaps: [gap])) }

    /// As the buffer does; readers get a notice.
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

    /// As the buffer does.
    public func record(_ incident: Incident) { buffer.record(incident) }

    // MARK: The relay's side

    /// Has `wake` called when the queue stops being empty.
    func attach(_ wake: @escaping @Sendable () -> Void) {
        state.withLock { $0.wake = wake }
    }

    /// Has events of these kinds kept, and no others.
    func listen(_ kinds: KindSet) {
        self.kinds.store(kinds.rawValue, ordering: .relaxed)
        state.withLock { state in
            state.kinds = kinds
            if kinds.isEmpty {
                state.items = []
                state.bytes = 0
            }
        }
    }

    /// The gaps that began and are not over.
    var openGaps: Set<Gap> { state.withLock { $0.openGaps } }

    /// The bytes that wait.
    var queuedBytes: Int { state.withLock { $0.bytes } }

    /// Takes out what waits, and how many events were thrown away before it.
    func take() -> (items: [Item], overflowed: Int64) {
        state.withLock { state in
            defer {
                state.items = []
                state.bytes = 0
                state.overflowed = 0
            }
            return (state.items, state.overflowed)
        }
    }

    /// Marks a place in the queue and the same place in the buffer.
    ///
    /// - Parameter reached: Told each stream's last sequence before the mark, once all up to it is durable.
    func mark(replay: Int, _ reached: @escaping @Sendable (StreamSequences?) -> Void) {
        let wake = state.withLock { state in
            buffer.mark(reached)
            return state.add(.mark(replay: replay))
        }
        wake?()
    }
}
