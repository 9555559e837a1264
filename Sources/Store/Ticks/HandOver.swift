import MarketData
import Synchronization

/// The bounded queue between the connections' event loops and the writer's thread.
///
/// Offering takes a lock for a few instructions and never waits. What the writer has taken counts until it is durable,
/// so the bound covers the memory of both.
final class HandOver: Sendable {
    /// Damage that a reader found, and in which generation of the file (see ``Board/generation``): another reader may
    /// have reported it already, and a sound file may be in its place.
    struct Damage: Sendable {
        var error: StoreError
        var generation: Int
    }

    /// What the writer makes durable in one transaction.
    struct Work: Sendable {
        var batches: [EventBatch] = []
        var events = 0
        var bytes = 0
        var notes = Notes()
        /// Whether the upload's acknowledged sequences have moved.
        var acknowledged = false
        /// Damage that a reader found.
        var damage: Damage?
        /// Everything up to this ticket is in this work or was in earlier work.
        var ticket: UInt64 = 0

        /// Splits the work into pieces of about `most` events; everything else is in the first piece.
        func split(most: Int) -> [Work] {
            var pieces: [Work] = []
            var piece = self
            piece.batches = []
            piece.events = 0
            piece.bytes = 0
            for batch in batches {
                if piece.events > 0, piece.events + batch.count > most {
                    pieces.append(piece)
                    piece = Work()
                }
                piece.batches.append(batch)
                piece.events += batch.count
                piece.bytes += batch.approximateBytes
            }
            return pieces + [piece]
        }

        var isEmpty: Bool { batches.isEmpty && notes.isEmpty && !acknowledged && damage == nil }
    }

    /// What the writer is to do next.
    enum Next {
        case work(Work)
        /// Nothing is due; time for upkeep.
        case idle
        /// The buffer is closing and the queue is empty.
        case end
    }

    /// Somebody who waits until everything up to a ticket is durable.
    struct Waiter {
        var ticket: UInt64
        /// Called then, or with an error.
        var reached: @Sendable (StoreError?) -> Void
    }

    enum Sleep {
        case awake
        /// Until the interval's end; only urgent work wakes the writer.
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
        /// Drops that the writer has taken and that aren't in the file yet.
        var dropsTaken: Int64 = 0
        var isWorking = false
        var notes = Notes()
        var refusedBatches: Int64 = 0
        var refusedEvents: Int64 = 0
        var acknowledged = false
        var damage: Damage?
        var tickets: UInt64 = 0
        var pace: CommitPace
        var due: MonotonicTime?
        /// How long before the interval's end the writer starts: the time that waking and inserting take, so that the
        /// commit itself starts at the end.
        var lead: Duration = .zero
        /// When the work under way was due to be committed; `nil` if it was taken early.
        var taken: MonotonicTime?
        var isUrgent = false
        var closesAt: MonotonicTime?
        var isClosed = false
        var sleep = Sleep.awake
        var waiters: [Waiter] = []
        /// Positions, in the order of their tickets: nothing after one is written before it is reached.
        var marks: [Waiter] = []
        var hasEnded = false
        var endWaiters: [CheckedContinuation<Void, Never>] = []
        var roomWaiters: [@Sendable () -> Void] = []

        var hasWork: Bool {
            !batches.isEmpty || !notes.isEmpty || acknowledged || damage != nil || !marks.isEmpty
        }
    }

    /// From this many events on, the writer doesn't wait for the interval's end.
    private static let muchEvents = 10_000
    /// About this many events go into one transaction.
    private static let mostEvents = 40_000

    private let limit: Int
    private let state: Mutex<State>
    private let away = Atomic(0)
    private let wake = WakeSignal()

    init(limit: Int, interval: CommitInterval) {
        self.limit = limit
        state = Mutex(State(pace: CommitPace(interval)))
    }

    /// The number of batches that the queue had taken but the file had no room for, among those whose owner still has
    /// them.
    var turnedAway: Int { away.load(ordering: .relaxed) }

    /// Counts batches for which the file had no room.
    func turnAway(_ count: Int) { away.add(count, ordering: .relaxed) }

    /// Takes a batch.
    ///
    /// - Parameter counts: Whether a batch for which there is no room is lost and counted as a drop; if not, its owner
    ///   keeps it.
    func offer(_ batch: EventBatch, countsRefusal counts: Bool = true) -> Admission {
        guard !batch.isEmpty else { return .accepted }
        let size = batch.approximateBytes
        let count = batch.count
        let (admission, wakes) = state.withLock { state -> (Admission, Bool) in
            guard state.closesAt == nil, !state.isClosed else { return (.refused, false) }
            let held = state.bytes + state.bytesTaken
            // A batch that is larger than the whole queue is taken if the queue is empty.
            guard held + size <= limit || held == 0 else {
                guard counts else { return (.refused, false) }
                state.notes.drops.add(batch, .queueFull)
                state.refusedBatches += 1
                state.refusedEvents += Int64(count)
                return (.refused, note(&state))
            }
            state.events += count
            state.bytes += size
            let wakes = note(&state, urgent: state.events >= Self.muchEvents)
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

    func record(_ change: GapChange) { leave { $0.notes.add(change) } }

    func record(_ incident: Incident) {
        leave { state in
            if state.notes.incidents.count < Notes.maximumIncidents { state.notes.incidents.append(incident) }
        }
    }

    /// Counts events that were dropped outside the writer.
    func record(_ drops: DropTally) { leave { $0.notes.drops.add(drops) } }

    /// Marks the position after everything handed over so far.
    func mark(_ reached: @escaping @Sendable (StoreError?) -> Void) {
        let (isClosed, wakes) = state.withLock { state in
            guard !state.isClosed else { return (true, false) }
            let wakes = note(&state, urgent: true)
            state.marks.append(Waiter(ticket: state.tickets, reached: reached))
            return (false, wakes)
        }
        if wakes { wake.signal() }
        if isClosed { reached(StoreError(.closed, operation: "mark a place in the buffer")) }
    }

    /// Makes the next commit store the acknowledged sequences.
    func noteAcknowledged() { leave { $0.acknowledged = true } }

    /// Reports to the writer that the file can no longer be read.
    func report(_ damage: Damage) { leave(urgent: true) { $0.damage = damage } }

    /// Waits until everything handed over before the call, and what `add` adds, is durable.
    ///
    /// - Throws: The error of a failed attempt to write. What was handed over and added stays queued all the same, so a
    ///   request that is repeated may be written twice and must have the effect of one.
    func flush(adding add: @Sendable (inout Notes) -> Void = { _ in }) async throws(StoreError) {
        let failure: StoreError? = await withCheckedContinuation { continuation in
            let outcome = state.withLock { state -> (isDone: Bool, error: StoreError?, wakes: Bool) in
                guard !state.isClosed else {
                    return (true, StoreError(.closed, operation: "flush the buffer"), false)
                }
                add(&state.notes)
                guard state.hasWork || state.isWorking else { return (true, nil, false) }
                let wakes = state.hasWork && note(&state, urgent: true)
                state.waiters.append(Waiter(ticket: state.tickets) { continuation.resume(returning: $0) })
                return (false, nil, wakes)
            }
            if outcome.wakes { wake.signal() }
            if outcome.isDone { continuation.resume(returning: outcome.error) }
        }
        if let failure { throw failure }
    }

    /// Makes the writer write what is queued, and end after `patience` at the latest.
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

    /// Adds what waits in memory, and what was refused or dropped, to what the file has of it.
    ///
    /// - Parameter durable: Reads the statistics of the file, at one moment with those of the queue: no drop counts
    ///   twice, or not at all, while it goes from one to the other.
    func statistics(adding durable: () -> BufferStatistics) -> BufferStatistics {
        state.withLock { state in
            var statistics = durable()
            statistics.queuedEvents = state.events + state.eventsTaken
            statistics.queuedBytes = state.bytes + state.bytesTaken
            statistics.drops += state.notes.drops.total + state.dropsTaken
            statistics.refusedBatches = state.refusedBatches
            statistics.noRoom += state.refusedEvents
            return statistics
        }
    }

    /// Leaves something for the writer and wakes it; a queue that is closed takes nothing more.
    private func leave(urgent: Bool = false, _ change: (inout State) -> Void) {
        let wakes = state.withLock { state in
            guard !state.isClosed else { return false }
            change(&state)
            return note(&state, urgent: urgent)
        }
        if wakes { wake.signal() }
    }

    private func hasRoom(_ state: borrowing State) -> Bool {
        state.bytes + state.bytesTaken < limit / 2 || state.bytes + state.bytesTaken == 0
    }

    /// Numbers what was just handed over, starts the interval, and returns whether the writer must be woken.
    private func note(_ state: inout State, urgent: Bool = false) -> Bool {
        state.tickets += 1
        if state.due == nil { state.due = state.pace.start(at: .now()) }
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
        // What comes after a mark is written later, so that the sequences after this work are those of the mark.
        let barrier = state.marks.first?.ticket ?? .max
        while count < state.batches.count, work.events < Self.mostEvents, state.batches[count].ticket <= barrier {
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
        state.dropsTaken += state.notes.drops.total
        swap(&work.notes, &state.notes)
        swap(&work.acknowledged, &state.acknowledged)
        swap(&work.damage, &state.damage)
        return work
    }

    // MARK: The writer's side

    /// Waits until something is due, at most until `deadline`.
    func next(idleUntil deadline: MonotonicTime) -> Next {
        while true {
            let now = MonotonicTime.now()
            let (next, until) = state.withLock { state -> (Next?, MonotonicTime) in
                state.sleep = .awake
                let isClosing = state.closesAt != nil
                if state.hasWork {
                    let start = (state.due ?? now) - min(state.lead, state.pace.interval / 4)
                    if state.isUrgent || isClosing || now >= start {
                        state.taken = state.isUrgent || isClosing ? nil : state.due
                        return (.work(take(&state)), now)
                    }
                    if now >= deadline { return (.idle, now) }
                    state.sleep = .collecting
                    return (nil, min(start, deadline))
                }
                if isClosing { return (.end, now) }
                if now >= deadline { return (.idle, now) }
                state.sleep = .idle
                return (nil, deadline)
            }
            if let next { return next }
            wake.wait(until: until)
        }
    }

    /// Records that everything is inserted and the commit starts, and adjusts `lead` to how late that is.
    func committing() {
        let now = MonotonicTime.now()
        state.withLock { state in
            guard let due = state.taken else { return }
            state.taken = nil
            // A fiftieth of the interval is for the pages that go into the log before the sync.
            let late = (due - state.pace.interval / 50).duration(to: now)
            state.lead = min(max(.zero, state.lead + late / 4), state.pace.interval / 4)
        }
    }

    /// Sets how many of the drops that the writer has taken aren't in the file yet, and at the same moment carries out
    /// `publish`, which adds the others to the statistics.
    func keepsDrops(_ count: Int64, _ publish: () -> Void) {
        state.withLock { state in
            state.dropsTaken = count
            publish()
        }
    }

    /// Whether nothing is waiting that should be written soon.
    var isQuiet: Bool { state.withLock { !$0.isUrgent && $0.events < Self.muchEvents } }

    /// When the writer must have ended; `nil` while the buffer is open.
    var closesAt: MonotonicTime? { state.withLock { $0.closesAt } }

    /// Waits after a failure; a close ends the wait.
    func pause(_ duration: Duration) {
        let end = MonotonicTime.now().advanced(by: duration)
        while MonotonicTime.now() < end {
            guard closesAt == nil else {
                wake.wait(until: min(end, .now().advanced(by: .milliseconds(50))))
                return
            }
            wake.wait(until: end)
        }
    }

    /// Frees what `work` held, and resumes those who wait for it or for room.
    func finished(_ work: Work) {
        let (marks, resumes, waiters) = state.withLock { state in
            state.eventsTaken = 0
            state.bytesTaken = 0
            state.isWorking = false
            let resumes = hasRoom(state) ? state.roomWaiters.take() : []
            return (state.marks.take(through: work.ticket), resumes, state.waiters.take(through: work.ticket))
        }
        for mark in marks { mark.reached(nil) }
        for resume in resumes { resume() }
        for waiter in waiters { waiter.reached(nil) }
    }

    /// Tells waiters that an attempt failed; their events stay queued and the write is tried again.
    func failed(_ error: StoreError) {
        for waiter in state.withLock({ $0.waiters.take() }) { waiter.reached(error) }
    }

    /// Ends the queue, and returns what will never be written.
    func end() -> Work {
        let (rest, marks, waiters, resumes) = state.withLock { state in
            state.isClosed = true
            let marks = state.marks.take()
            var rest = take(&state)
            while !state.batches.isEmpty {
                let more = take(&state)
                rest.batches += more.batches
                rest.events += more.events
            }
            return (rest, marks, state.waiters.take(), state.roomWaiters.take())
        }
        for mark in marks { mark.reached(StoreError(.closed, operation: "mark a place in the buffer")) }
        for waiter in waiters { waiter.reached(StoreError(.closed, operation: "flush the buffer")) }
        for resume in resumes { resume() }
        return rest
    }

    /// Records that the writer's thread no longer touches anything.
    func writerEnded() {
        let waiters = state.withLock { state in
            state.hasEnded = true
            return state.endWaiters.take()
        }
        for waiter in waiters { waiter.resume() }
    }
}

extension Array {
    /// Removes and returns all elements.
    fileprivate mutating func take() -> [Element] {
        defer { removeAll() }
        return self
    }
}

extension [HandOver.Waiter] {
    /// Removes and returns those who wait for a ticket or an earlier one.
    fileprivate mutating func take(through ticket: UInt64) -> [HandOver.Waiter] {
        defer { removeAll { $0.ticket <= ticket } }
        return filter { $0.ticket <= ticket }
    }
}
