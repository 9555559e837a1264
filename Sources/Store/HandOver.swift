import Dispatch
import MarketData
import Synchronization

/// The bounded queue between the connections' event loops and the writer's thread.
///
/// Offering takes a lock for a few instructions and never waits. What the writer took keeps counting until it is
/// durable, so the bound holds for the memory of both.
final class HandOver: Sendable {
    /// What the writer makes durable in one transaction.
    struct Work: Sendable {
        var batches: [EventBatch] = []
        var events = 0
        var bytes = 0
        var gaps: [Gap] = []
        var letters: [DeadLetter] = []
        var drops = DropTally()
        var acknowledged = false
        /// Damage that a reader came upon.
        var damage: StoreError?
        /// Everything up to this ticket is in this work or was before.
        var ticket: UInt64 = 0

        var isEmpty: Bool {
            batches.isEmpty && gaps.isEmpty && letters.isEmpty && drops.isEmpty && !acknowledged && damage == nil
        }
    }

    /// What the writer is to do next.
    enum Next {
        case work(Work)
        /// Nothing is due; see to the file.
        case idle
        /// The buffer is closing and the queue is empty.
        case end
    }

    /// Past this many gaps in memory, further ones are merged.
    static let maximumGaps = 1000

    private struct LetterKey: Hashable {
        var stream: EventStream
        var sequence: Int64
    }

    private struct Waiter {
        var ticket: UInt64
        var continuation: CheckedContinuation<StoreError?, Never>
    }

    private enum Sleep {
        case awake
        /// Until the interval's end; only much to do wakes the writer.
        case collecting
        /// Until something comes.
        case idle
    }

    private struct State {
        var batches: [(ticket: UInt64, batch: EventBatch)] = []
        var events = 0
        var bytes = 0
        var eventsTaken = 0
        var bytesTaken = 0
        var isWorking = false
        var gaps: [Gap] = []
        var letters: [LetterKey: DeadLetter] = [:]
        var drops = DropTally()
        var refusedBatches: Int64 = 0
        var acknowledged = false
        var damage: StoreError?
        var tickets: UInt64 = 0
        var due: MonotonicTime?
        var isUrgent = false
        var closesAt: MonotonicTime?
        var isClosed = false
        var sleep = Sleep.awake
        var waiters: [Waiter] = []
        var hasEnded = false
        var endWaiters: [CheckedContinuation<Void, Never>] = []
        var roomWaiters: [@Sendable () -> Void] = []

        var hasWork: Bool {
            !batches.isEmpty || !gaps.isEmpty || !letters.isEmpty || !drops.isEmpty || acknowledged || damage != nil
        }
    }

    private let limit: Int
    private let interval: Duration
    /// This many events are written without waiting for the interval's end.
    private let muchEvents: Int
    /// About this many events go into one transaction.
    private let mostEvents: Int
    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)

    init(limit: Int, interval: Duration, muchEvents: Int = 10_000, mostEvents: Int = 40_000) {
        self.limit = limit
        self.interval = interval
        self.muchEvents = muchEvents
        self.mostEvents = mostEvents
    }

    // MARK: Callers' side

    func offer(_ batch: EventBatch) -> Admission {
        guard !batch.isEmpty else { return .accepted }
        let size = batch.approximateBytes
        let count = batch.count
        let (admission, wakes) = state.withLock { state -> (Admission, Bool) in
            guard state.closesAt == nil, !state.isClosed else { return (.refused, false) }
            let held = state.bytes + state.bytesTaken
            // A batch that is greater than the whole queue is taken when it comes alone.
            guard held + size <= limit || held == 0 else {
                state.drops.add(batch, .queueFull)
                state.refusedBatches += 1
                return (.refused, note(&state))
            }
            state.events += count
            state.bytes += size
            let wakes = note(&state, urgent: state.events >= muchEvents)
            state.batches.append((state.tickets, batch))
            return (held + size < limit / 2 ? .accepted : .acceptedStopReading, wakes)
        }
        if wakes { wake.signal() }
        return admission
    }

    func whenRoom(_ resume: @escaping @Sendable () -> Void) {
        let isRoomy = state.withLock { state in
            if hasRoom(state) || state.isClosed { return true }
            state.roomWaiters.append(resume)
            return false
        }
        if isRoomy { resume() }
    }

    func record(_ gap: Gap) {
        let wakes = state.withLock { state in
            guard !state.isClosed else { return false }
            if state.gaps.count < HandOver.maximumGaps {
                state.gaps.append(gap)
            } else {
                HandOver.merge(gap, into: &state.gaps)
            }
            return note(&state)
        }
        if wakes { wake.signal() }
    }

    /// Counts events that were given up outside the writer.
    func record(_ drops: DropTally) {
        let wakes = state.withLock { state in
            guard !state.isClosed else { return false }
            state.drops.add(drops)
            return note(&state)
        }
        if wakes { wake.signal() }
    }

    /// Has the acknowledged sequences stored with the next commit.
    func noteAcknowledged() {
        let wakes = state.withLock { state in
            guard !state.isClosed else { return false }
            state.acknowledged = true
            return note(&state)
        }
        if wakes { wake.signal() }
    }

    /// Has the writer set a file aside that can't be read any more.
    func report(damage: StoreError) {
        let wakes = state.withLock { state in
            guard !state.isClosed else { return false }
            state.damage = damage
            return note(&state, urgent: true)
        }
        if wakes { wake.signal() }
    }

    /// Waits until everything handed over before the call, and `letters`, are durable.
    func flush(letters: [DeadLetter] = []) async -> StoreError? {
        await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> (isDone: Bool, error: StoreError?, wakes: Bool) in
                guard !state.isClosed else {
                    return (true, StoreError(.closed, operation: "flush the buffer"), false)
                }
                for letter in letters {
                    state.letters[LetterKey(stream: letter.stream, sequence: letter.sequence)] = letter
                }
                guard state.hasWork || state.isWorking else { return (true, nil, false) }
                let wakes = state.hasWork && note(&state, urgent: true)
                state.waiters.append(Waiter(ticket: state.tickets, continuation: continuation))
                return (false, nil, wakes)
            }
            if answer.wakes { wake.signal() }
            if answer.isDone { continuation.resume(returning: answer.error) }
        }
    }

    /// Has the writer write what is queued, and end after `patience` at the latest.
    func close(patience: Duration) {
        state.withLock { state in
            if state.closesAt == nil { state.closesAt = .now().advanced(by: patience) }
            state.sleep = .awake
        }
        wake.signal()
    }

    /// Waits until the writer's thread has ended.
    func ended() async {
        await withCheckedContinuation { continuation in
            let hasEnded = state.withLock { state in
                if !state.hasEnded { state.endWaiters.append(continuation) }
                return state.hasEnded
            }
            if hasEnded { continuation.resume() }
        }
    }

    /// What waits in memory.
    var load: (events: Int, bytes: Int, drops: Int64, refusedBatches: Int64) {
        state.withLock { state in
            (
                state.events + state.eventsTaken, state.bytes + state.bytesTaken, state.drops.total,
                state.refusedBatches
            )
        }
    }

    // MARK: Writer's side

    /// Waits until something is due, at most until `deadline`.
    func next(idleUntil deadline: MonotonicTime) -> Next {
        while true {
            let now = MonotonicTime.now()
            let (next, until) = state.withLock { state -> (Next?, MonotonicTime) in
                state.sleep = .awake
                let isClosing = state.closesAt != nil
                if state.hasWork {
                    let due = state.due ?? now
                    if state.isUrgent || isClosing || now >= due { return (.work(take(&state)), now) }
                    if now >= deadline { return (.idle, now) }
                    state.sleep = .collecting
                    return (nil, min(due, deadline))
                }
                if isClosing { return (.end, now) }
                if now >= deadline { return (.idle, now) }
                state.sleep = .idle
                return (nil, deadline)
            }
            if let next { return next }
            _ = wake.wait(timeout: DispatchTime(uptimeNanoseconds: until.nanoseconds))
        }
    }

    /// Whether something waits that must not wait longer.
    var isQuiet: Bool { state.withLock { !$0.isUrgent && $0.events < muchEvents } }

    /// When the writer must have ended; `nil` while the buffer is open.
    var closesAt: MonotonicTime? { state.withLock { $0.closesAt } }

    /// Waits after a failure; a close ends the wait.
    func pause(_ duration: Duration) {
        let end = MonotonicTime.now().advanced(by: duration)
        while MonotonicTime.now() < end, closesAt == nil {
            _ = wake.wait(timeout: DispatchTime(uptimeNanoseconds: end.nanoseconds))
        }
        if closesAt != nil { _ = wake.wait(timeout: .now() + .milliseconds(50)) }
    }

    /// Frees what `work` held, and tells those who wait for it or for room.
    func finished(_ work: Work) {
        let (waiters, resumes) = state.withLock { state in
            state.eventsTaken = 0
            state.bytesTaken = 0
            state.isWorking = false
            let done = state.waiters.filter { $0.ticket <= work.ticket }
            state.waiters.removeAll { $0.ticket <= work.ticket }
            var resumes: [@Sendable () -> Void] = []
            if hasRoom(state) { swap(&resumes, &state.roomWaiters) }
            return (done, resumes)
        }
        for waiter in waiters { waiter.continuation.resume(returning: nil) }
        for resume in resumes { resume() }
    }

    /// Tells those who wait that an attempt failed; what they wait for stays and is tried again.
    func failed(_ error: StoreError) {
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume(returning: error) }
    }

    /// Ends the queue, and answers what nobody will write any more.
    func end() -> Work {
        let (rest, waiters, resumes) = state.withLock { state in
            state.isClosed = true
            defer {
                state.waiters = []
                state.roomWaiters = []
            }
            var rest = Work()
            while !state.batches.isEmpty {
                let more = take(&state)
                rest.batches += more.batches
                rest.events += more.events
                rest.drops.add(more.drops)
                rest.gaps += more.gaps
            }
            return (rest, state.waiters, state.roomWaiters)
        }
        for waiter in waiters {
            waiter.continuation.resume(returning: StoreError(.closed, operation: "flush the buffer"))
        }
        for resume in resumes { resume() }
        return rest
    }

    /// Notes that the writer's thread touches nothing any more.
    func writerEnded() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            defer { state.endWaiters = [] }
            return state.endWaiters
        }
        for waiter in waiters { waiter.resume() }
    }

    // MARK: Inside the lock

    private func hasRoom(_ state: borrowing State) -> Bool {
        state.bytes + state.bytesTaken < limit / 2 || state.bytes + state.bytesTaken == 0
    }

    /// Numbers what was just handed over, starts the interval, and answers whether the writer must be woken.
    private func note(_ state: inout State, urgent: Bool = false) -> Bool {
        state.tickets += 1
        if state.due == nil { state.due = .now().advanced(by: interval) }
        if urgent { state.isUrgent = true }
        switch state.sleep {
        case .awake: return false
        case .collecting: guard urgent else { return false }
        case .idle: break
        }
        state.sleep = .awake
        return true
    }

    private func take(_ state: inout State) -> Work {
        var work = Work()
        work.ticket = state.tickets
        state.isWorking = true
        var count = 0
        while count < state.batches.count, work.events < mostEvents {
            let batch = state.batches[count].batch
            work.events += batch.count
            work.bytes += batch.approximateBytes
            count += 1
        }
        work.batches = state.batches[..<count].map(\.batch)
        if count < state.batches.count {
            work.ticket = state.batches[count].ticket - 1
            state.batches.removeFirst(count)
        } else {
            state.batches.removeAll(keepingCapacity: count < 1024)
            state.due = nil
            state.isUrgent = false
        }
        state.events -= work.events
        state.bytes -= work.bytes
        state.eventsTaken = work.events
        state.bytesTaken = work.bytes
        swap(&work.gaps, &state.gaps)
        work.letters = state.letters.values.sorted {
            ($0.stream.rawValue, $0.sequence) < ($1.stream.rawValue, $1.sequence)
        }
        state.letters = [:]
        swap(&work.drops, &state.drops)
        work.acknowledged = state.acknowledged
        state.acknowledged = false
        work.damage = state.damage
        state.damage = nil
        return work
    }

    /// Widens the last gap of the same connection and cause; symbols and kinds become those of both.
    private static func merge(_ gap: Gap, into gaps: inout [Gap]) {
        let index = gaps.lastIndex { $0.connection == gap.connection && $0.cause == gap.cause } ?? gaps.count - 1
        let isSame = gaps[index].symbols == gap.symbols
        if !isSame {
            let everything = gaps[index].symbols.isEmpty || gap.symbols.isEmpty
            gaps[index].symbols = everything ? [] : Array(Set(gaps[index].symbols).union(gap.symbols)).sorted()
        }
        gaps[index].events = EventKind.allCases.filter { gaps[index].events.contains($0) || gap.events.contains($0) }
        gaps[index].from = min(gaps[index].from, gap.from)
        gaps[index].to = max(gaps[index].to, gap.to)
    }
}
