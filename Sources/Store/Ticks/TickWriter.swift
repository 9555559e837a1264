import GRDBSQLite
import Glibc
import Logging
import MarketData

/// The loop that makes events durable. It runs on a thread of its own, and nothing else touches the writing connection.
///
/// It takes everything queued, inserts it in one transaction, and moves the durable marks after the commit's sync.
/// Between commits it moves the log into the file, deletes old rows and watches the disk, one small step at a time.
final class TickWriter {
    /// Problems that are logged immediately and then every half minute.
    enum Problem {
        case writing, dropping, pinned, clock
    }

    /// A transaction whose outcome is not known yet.
    struct Attempt {
        var last: StreamSequences
        var hasEvents: Bool
        var notes: Int64
        /// Whether it comes from the upkeep and holds no work of the queue.
        var isUpkeep: Bool
        /// The dead letters that were replaced by a row, with the row's number.
        var placed: [(letter: SettledLetter, number: Int64)] = []
        /// The file's dead letters by stream; `nil` if the transaction doesn't change them.
        var letters: [EventStream: Int64]?
        /// Dead letters that were given up.
        var discarded: Int64 = 0
        /// Dead letters that made room for newer ones.
        var lettersDropped: Int64 = 0
        /// How many rows the transaction adds to `gaps`.
        var gaps: Int64 = 0
        /// How many of them are not taken over from a lost file: those were counted when they were recorded.
        var newGaps: Int64 = 0
    }

    let file: StoreFile
    let options: TickBuffer.Options
    let identity: TickConnection.Identity
    let handOver: HandOver
    let board: Board
    let logger: Logger
    let lock: FileLock

    var connection: TickConnection?
    var attempt: Attempt?
    var notes: Int64
    var checkpoints = CheckpointPolicy()
    var backoff = WriteBackoff()
    var problems = LogThrottle<Problem, MonotonicTime>()
    var reserve: DiskReserve
    var carried: CarriedLosses
    var room = RoomState()
    var isPinned = false
    /// Whether gaps were written since the open ones were counted.
    var openGapsMayDiffer = false
    /// Since when events were missed when the file was opened, in milliseconds since the Unix epoch.
    let missedSince: Int64?
    /// See ``TickConnection/Contents/created``.
    let created: Int64?
    /// No row gets an earlier time of receipt than a row before it, whatever the clock does; while the clock is behind,
    /// each batch gets a later one.
    private var greatestReceipt: Int64
    var places: FilePlaces
    var schedule = UpkeepSchedule(now: .now())

    init(
        file: StoreFile, lock: FileLock, options: TickBuffer.Options, opened: OpenedTicks, handOver: HandOver,
        board: Board, logger: Logger
    ) {
        self.lock = lock
        self.file = file
        self.options = options
        self.handOver = handOver
        self.board = board
        self.logger = logger
        identity = opened.identity
        connection = opened.connection
        notes = opened.contents.notes
        greatestReceipt = opened.greatestReceipt
        carried = opened.carried
        missedSince = opened.previousLife?.missedSince
        created = opened.contents.created
        checkpoints.maximumBytes = options.maximumLogBytes
        checkpoints.reportedBytes = min(checkpoints.reportedBytes, options.maximumLogBytes / 2)
        reserve = DiskReserve(directory: file.directory)
        places = FilePlaces(file)
    }

    /// Writes until the buffer is closed.
    func run() {
        reserve.hold()
        loop: while true {
            let more = keepUp()
            let now = MonotonicTime.now()
            switch handOver.next(idleUntil: more ? now : schedule.next) {
            case .work(let work):
                // On a nearly full disk, the log must never hold more than the reserve can take.
                for piece in room.isDiskTight ? work.split(most: 5000) : [work] {
                    write(piece)
                    if room.isDiskTight { _ = keepUp() }
                }
                handOver.finished(work)
            case .idle: break
            case .end: break loop
            }
        }
        end()
    }

    /// Tries until the work is durable, or until a closing buffer's patience ends.
    private func write(_ taken: HandOver.Work) {
        settleUpkeep()
        var work = taken
        carried.drops.add(work.notes.drops)
        work.notes.drops = DropTally()
        carried.incidents += work.notes.incidents
        work.notes.incidents = []
        var lead: Int64 = 0
        for place in work.batches.indices {
            let received = work.batches[place].receivedMicroseconds
            lead = max(lead, greatestReceipt - received)
            // A microsecond more: with the same time, the earlier of two versions of a bar could replace the later.
            greatestReceipt = received < greatestReceipt ? greatestReceipt + 1 : received
            work.batches[place].receivedMicroseconds = greatestReceipt
        }
        if lead > Self.clockTolerance { noteLead(lead) }
        if let damage = work.damage, damage.generation == board.generation { setAside(because: damage.error) }
        work.damage = nil
        if let ledger = work.notes.ledger { agree(with: ledger) }
        while true {
            do {
                if connection == nil, try reopen() {
                    // The transaction of unknown outcome turned out to be in the file.
                    publish(work, took: .zero, isCounted: true)
                } else {
                    try holdLogBound()
                    try makeRoom(for: &work)
                    let start = MonotonicTime.now()
                    try commit(work)
                    publish(work, took: MonotonicTime.now().since(start), isCounted: false)
                }
                if work.events > 0 { room.wroteEvents() }
                if room.isRefused { publishState() } else { recovered() }
                return
            } catch {
                // The state is published first: whoever learns of a failure must see it there.
                publishFailure(error)
                handOver.failed(error)
                if error.reason == .diskFull, connection != nil, work.batches.count > 1, work.events > 1000 {
                    // A small transaction takes little room in the log, and may still fit.
                    for piece in work.split(most: 1000) { write(piece) }
                    return
                }
                guard triesAgain(after: error, work: &work) else { return giveUp(work) }
            }
        }
    }

    /// Finds out what became of a transaction of the upkeep whose outcome is unknown, before anything is added to what
    /// it stored: if it is in the file, that proves nothing of the work that comes now.
    private func settleUpkeep() {
        while attempt != nil, connection == nil {
            do {
                if try !reopen() { attempt = nil }
            } catch {
                publishFailure(error)
                handOver.failed(error)
                var nothing = HandOver.Work()
                guard triesAgain(after: error, work: &nothing) else { return }
            }
        }
    }

    /// How far rows may be dated ahead of the clock before that is logged, in microseconds.
    private static let clockTolerance: Int64 = 5_000_000

    /// Logs that rows are dated just after the last ones, which is later than the clock shows.
    private func noteLead(_ microseconds: Int64) {
        guard let count = problems.occurred(.clock, "", now: .now()) else { return }
        logger.warning(
            "the clock is behind the time at which earlier rows were received; until it catches up, new rows are dated just after those; run edgetick doctor to check the clock",
            metadata: ["ahead_seconds": "\(microseconds / 1_000_000)", "count": "\(count)"])
    }

    private func commit(_ work: HandOver.Work, isUpkeep: Bool = false) throws(StoreError) {
        guard let connection else { throw StoreError(.closed, operation: "append to", path: file.path) }
        let statistics = board.current
        let start = statistics.lastSequences
        var last = start
        let hasNotes = !work.notes.isEmpty || !carried.isEmpty
        let noteCount = notes + (hasNotes ? 1 : 0)
        let now = WallClock.microseconds()
        let settled = try connection.standing(work.notes.settled, through: statistics[.bars].marks.last)
        let requeued = settled.compactMap(\.batch)
        for batch in work.batches + requeued { last.advance(by: batch) }
        guard hasNotes || work.acknowledged || work.events > 0 else { return }
        attempt = Attempt(
            last: last, hasEvents: work.events > 0 || !requeued.isEmpty, notes: noteCount, isUpkeep: isUpkeep)
        let mustSync = options.synchronous == .normal && work.notes.precedesUpload
        try connection.transaction(mustSync: mustSync) { () throws(StoreError) in
            var position = start
            // New letters come before the ledger's word: if they are still here because their request failed, their
            // rows wait again.
            for letter in work.notes.letters { try connection.notes.add(letter) }
            if let ledger = work.notes.ledger {
                for stream in ledger.keys {
                    let marks = statistics[stream].marks
                    try connection.notes.takeBack(stream, to: marks.acknowledged, sentAgain: marks.sentAgain)
                }
            }
            // Letters are put back first: a bar that has just arrived is the newer version and must get the greater
            // number.
            let left = try settle(settled, after: &position, statistics)
            for batch in work.batches { try connection.inserter.insert(batch, last: &position) }
            attempt?.last = position
            attempt?.hasEvents = position != start
            attempt?.discarded = left.total
            if work.acknowledged {
                for stream in EventStream.allCases {
                    try connection.notes.mark(
                        stream, acknowledged: statistics[stream].marks.acknowledged,
                        deletedThrough: statistics[stream].marks.deleted)
                }
            }
            guard hasNotes else { return handOver.committing() }
            for (stream, sequence) in work.notes.sentAgain {
                try connection.notes.sendAgain(stream, through: sequence)
            }
            for (stream, sequence) in work.notes.gone { try connection.notes.note(gone: sequence, of: stream) }
            for move in work.notes.moves { try connection.notes.add(move, under: identity.id) }
            for (id, stream) in work.notes.forgotten { try connection.notes.forget(id, stream) }
            // Gaps taken over from a lost file come first: what follows may end some of them.
            var losses = carried
            losses.drops.add(left)
            let taken = try connection.notes.add(losses, episode: currentEpisode(), now: now)
            let newGaps = try connection.notes.add(work.notes.gaps, now: now)
            attempt?.newGaps = newGaps
            attempt?.gaps = newGaps + taken
            for fill in work.notes.fills { try connection.notes.add(fill, now: now) }
            let settlesGaps = work.notes.fills.contains { $0.state != nil }
            if !work.notes.gaps.isEmpty || settlesGaps || !losses.gaps.isEmpty { openGapsMayDiffer = true }
            for day in work.notes.reconciled { try connection.notes.add(day) }
            if work.notes.changesLetters { attempt?.letters = try connection.notes.letterCounts() }
            try boundLetters(statistics, now: now)
            try connection.notes.count(notes: noteCount)
        }
    }

    /// Takes dead letters out of the file, in the transaction under way, and moves the rows of those that are put back
    /// to the end. A letter that is no longer there has been settled before, or its row waits again.
    ///
    /// - Returns: The counts of those that were discarded, and the numbers of the rows that moved. A letter whose row
    ///   waits is not lost, and one whose row was deleted before it was upstream was counted then.
    private func settle(
        _ letters: [SettledLetter], after position: inout StreamSequences, _ statistics: BufferStatistics
    ) throws(StoreError) -> DropTally {
        guard let connection else { return DropTally() }
        var settled: [SettledLetter] = []
        for letter in letters {
            guard try connection.notes.removeLetter(letter.stream, letter.sequence) else { continue }
            if let batch = letter.batch {
                try connection.inserter.insert(batch, last: &position)
                attempt?.placed.append((letter, position[letter.stream]))
                // Otherwise the event would be there twice, and go up twice if the database went back.
                if try connection.notes.remove(letter.stream, letter.sequence) { settled.append(letter) }
            } else if letter.sequence <= statistics[letter.stream].marks.acknowledged {
                settled.append(letter)
            }
        }
        return DropTally(settling: settled)
    }

    /// Stores carried losses without waiting for events.
    func storeCarried() throws(StoreError) {
        guard !carried.isEmpty else { return }
        let nothing = HandOver.Work()
        let start = MonotonicTime.now()
        try commit(nothing, isUpkeep: true)
        publish(nothing, took: MonotonicTime.now().since(start), isCounted: false)
    }

    /// Drops the oldest dead letters beyond the limit, in the transaction under way.
    private func boundLetters(_ statistics: BufferStatistics, now: Int64) throws(StoreError) {
        let excess = (attempt?.letters?.values.reduce(0, +) ?? 0) - options.maximumLetters
        guard let connection, excess > 0 else { return }
        var tally = DropTally()
        try connection.notes.deleteOldestLetters(excess, settled: statistics, into: &tally)
        guard !tally.isEmpty else { return }
        try connection.notes.add(tally, episode: currentEpisode(), now: now)
        attempt?.letters = try connection.notes.letterCounts()
        attempt?.lettersDropped = tally.total
    }

    /// Updates the marks after the sync; `isCounted` says that the statistics already include the notes.
    func publish(_ work: HandOver.Work, took duration: Duration, isCounted: Bool) {
        guard let attempt else { return }
        self.attempt = nil
        let hadNotes = attempt.notes != notes
        notes = attempt.notes
        let drops = carried.drops.total
        if hadNotes, !isCounted { carried.areStored() }
        for (letter, number) in attempt.placed { letter.placed(number) }
        showDrops { statistics in
            for stream in EventStream.allCases {
                let before = statistics[stream].marks.last
                statistics[stream].appended += attempt.last[stream] - before
                statistics[stream].marks.last = attempt.last[stream]
            }
            statistics.commits += 1
            statistics.lastCommit = duration
            statistics.latestReceipt = greatestReceipt / 1000
            if hadNotes { statistics.recordedGaps += max(0, attempt.newGaps) }
            if hadNotes, !isCounted {
                statistics.drops += drops + attempt.discarded + attempt.lettersDropped
                statistics.gaps += attempt.gaps
                if let letters = attempt.letters { statistics.letters = letters }
            }
        }
        if attempt.lettersDropped > 0 { logLettersDropped(attempt.lettersDropped) }
        if hadNotes { board.notesChanged() }
        do {
            try findOldestPending(again: work.acknowledged || work.notes.ledger != nil)
        } catch {
            // The rows are durable; the next write meets the same problem and deals with it.
            logger.debug("the oldest waiting row could not be read", metadata: ["error": "\(error)"])
        }
    }

    /// Looks up when the streams' first waiting rows were received: reads one row by its number, and only if it has
    /// changed.
    func findOldestPending(again: Bool) throws(StoreError) {
        guard let connection else { return }
        for stream in EventStream.allCases {
            let known = board.current[stream]
            var oldest = known.pending > 0 ? known.oldestPendingMilliseconds : nil
            if known.pending > 0, again || oldest == nil {
                oldest = try connection.received(stream, from: known.marks.settled + 1).map { $0 / 1000 }
            }
            if oldest != known.oldestPendingMilliseconds {
                board.update { $0[stream].oldestPendingMilliseconds = oldest }
            }
        }
    }

    /// Closes the file for good.
    private func end() {
        do {
            if !carried.isEmpty {
                if connection == nil { _ = try reopen() }
                try storeCarried()
            }
            if connection != nil, options.isCollecting { try signLife() }
            if let connection, try !connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE) {
                logger.debug("a reader kept the write-ahead log from being emptied; the next start does it")
            }
            try TickConnection.close(&connection)
        } catch {
            logger.warning(
                "the buffer did not close cleanly; the next start recovers it", metadata: ["error": "\(error)"])
        }
        reserve.release()
        let rest = handOver.end()
        if !rest.isEmpty || !carried.isEmpty { giveUp(rest) }
        lock.release()
        handOver.writerEnded()
    }

    /// Logs what a closing buffer could no longer write.
    private func giveUp(_ work: HandOver.Work) {
        carried.drops.add(work.notes.drops)
        guard work.events > 0 || !work.notes.gaps.isEmpty || !carried.drops.isEmpty || !carried.gaps.isEmpty else {
            return
        }
        var lost = DropTally()
        for batch in work.batches where batch.source == .stream { lost.add(batch, .closed) }
        logger.error(
            "events were lost, because the buffer could not be written before it closed",
            metadata: [
                "events": "\(lost.total)", "gaps": "\(work.notes.gaps.gaps.count + carried.gaps.count)",
                "earlier_drops": "\(carried.drops.total)",
                "symbols": "\(Set(lost.entries.keys.map(\.symbol)).count)", "path": "\(file.path)",
            ])
        let dropped = lost.total + carried.drops.total
        carried.areStored()
        showDrops { $0.drops += dropped }
        attempt = nil
    }

    /// Updates the statistics, and in the same step what they show of the drops that aren't in the file yet.
    func showDrops(_ change: (inout BufferStatistics) -> Void) {
        handOver.keepsDrops(carried.drops.total) { board.update(change) }
    }

    func currentEpisode() -> Int64 { carried.episode(now: .now(), wall: WallClock.microseconds()) }
}
