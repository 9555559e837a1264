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
        var gaps = GapChange(gaps: [])
        var incidents: [Incident] = []
        var letters: [DeadLetter] = []
        var fills: [GapFill] = []
        var settled: [SettledLetter] = []
        var drops = DropTally()
        var acknowledged = false
        /// What the ledger upstream says, to be agreed with; `nil` when it wasn't asked.
        var ledger: [EventStream: Int64]?
        /// What is to be written down of the uploads.
        var line = LineChange()
        /// Damage that a reader came upon.
        var damage: StoreError?
        /// Everything up to this ticket is in this work or was before.
        var ticket: UInt64 = 0

        /// The same in pieces of about `most` events; the first one carries everything else.
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

        var isEmpty: Bool {
            batches.isEmpty && gaps.isEmpty && letters.isEmpty && fills.isEmpty && settled.isEmpty && drops.isEmpty
                && !acknowledged && ledger == nil && line.isEmpty && incidents.isEmpty && damage == nil
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
    /// Past this many incidents in memory, further ones are left to the log.
    static let maximumIncidents = 100

    struct LetterKey: Hashable {
        var stream: EventStream
        var sequence: Int64
    }

    struct Waiter {
        var ticket: UInt64
        var continuation: CheckedContinuation<StoreError?, Never>
    }

    enum Sleep {
        case awake
        /// Until the interval's end; only much to do wakes the writer.
        case collecting
        /// Until something comes.
        case idle
    }

    struct State {
        var batches: [(ticket: UInt64, batch: EventBatch)] = []
        var events = 0
        var bytes = 0
        var eventsTaken = 0
        var bytesTaken = 0
        var isWorking = false
        var gaps = GapChange(gaps: [])
        var incidents: [Incident] = []
        var letters: [LetterKey: DeadLetter] = [:]
        var fills: [GapFill] = []
        var settled: [SettledLetter] = []
        var drops = DropTally()
        var refusedBatches: Int64 = 0
        var acknowledged = false
        var ledger: [EventStream: Int64]?
        var line = LineChange()
        var damage: StoreError?
        var tickets: UInt64 = 0
        var due: MonotonicTime?
        /// How long before the interval's end the writer starts: what its waking and its inserts take, so that the
        /// commit itself starts at the end.
        var lead: Duration = .zero
        /// When the work under way was to be committed; `nil` when it was taken before its time.
        var taken: MonotonicTime?
        var isUrgent = false
        var closesAt: MonotonicTime?
        var isClosed = false
        var sleep = Sleep.awake
        var waiters: [Waiter] = []
        var hasEnded = false
        var endWaiters: [CheckedContinuation<Void, Never>] = []
        var roomWaiters: [@Sendable () -> Void] = []

        var hasWork: Bool {
            !batches.isEmpty || !gaps.isEmpty || !letters.isEmpty || !fills.isEmpty || !settled.isEmpty
                || !drops.isEmpty || acknowledged || ledger != nil || !line.isEmpty || !incidents.isEmpty
                || damage != nil
        }
    }

    let limit: Int
    let interval: Duration
    /// This many events are written without waiting for the interval's end.
    let muchEvents: Int
    /// About this many events go into one transaction.
    let mostEvents: Int
    let state = Mutex(State())
    let wake = WakeSignal()

    init(limit: Int, interval: Duration, muchEvents: Int = 10_000, mostEvents: Int = 40_000) {
        self.limit = limit
        self.interval = interval
        self.muchEvents = muchEvents
        self.mostEvents = mostEvents
    }

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

    func record(_ change: GapChange) {
        let wakes = state.withLock { state in
            guard !state.isClosed else { return false }
            state.gaps.add(change, limit: HandOver.maximumGaps)
            return note(&state)
        }
        if wakes { wake.signal() }
    }

    func record(_ incident: Incident) {
        let wakes = state.withLock { state in
            guard !state.isClosed, state.incidents.count < HandOver.maximumIncidents else { return false }
            state.incidents.append(incident)
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

    /// Waits until everything handed over before the call, and what is given, is durable.
    func flush(
        letters: [DeadLetter] = [], fills: [GapFill] = [], settled: [SettledLetter] = [],
        drops: DropTally = DropTally(), ledger: [EventStream: Int64]? = nil, line: LineChange = LineChange(),
        incidents: [Incident] = []
    ) async -> StoreError? {
        await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> (isDone: Bool, error: StoreError?, wakes: Bool) in
                guard !state.isClosed else {
                    return (true, StoreError(.closed, operation: "flush the buffer"), false)
                }
                for letter in letters {
                    state.letters[LetterKey(stream: letter.stream, sequence: letter.sequence)] = letter
                }
                state.fills += fills
                state.settled += settled
                state.drops.add(drops)
                if let ledger { state.ledger = ledger }
                state.line.add(line)
                state.incidents += incidents
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

    func hasRoom(_ state: borrowing State) -> Bool {
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

    func take(_ state: inout State) -> Work {
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
        swap(&work.incidents, &state.incidents)
        work.letters = state.letters.values.sorted {
            ($0.stream.rawValue, $0.sequence) < ($1.stream.rawValue, $1.sequence)
        }
        state.letters = [:]
        swap(&work.fills, &state.fills)
        swap(&work.settled, &state.settled)
        swap(&work.drops, &state.drops)
        work.acknowledged = state.acknowledged
        state.acknowledged = false
        swap(&work.ledger, &state.ledger)
        swap(&work.line, &state.line)
        work.damage = state.damage
        state.damage = nil
        return work
    }
}
