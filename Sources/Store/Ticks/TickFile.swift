import GRDBSQLite
import Logging
import MarketData

/// The file under the writer: its connection, and what is known of it.
///
/// After a failed write or sync nobody knows what is on the disk (fsync(2) reports an error once and may drop the
/// pages). So the connection is closed, the file is opened again, and everything in its log is moved and synced. Only
/// then is it known whether the batch is there; if not, the writer writes it again from memory, under the same numbers.
///
/// The writer decides when something is done and what to do about a failure; this type has the connection and knows what
/// is durable. Belongs to the writer's thread.
final class TickFile {
    /// What is logged immediately and then every half minute.
    private enum Problem {
        case dropping, clock
    }

    /// A transaction whose outcome is not known yet.
    private struct Attempt {
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

    private let file: StoreFile
    private let lock: FileLock
    private let options: TickBuffer.Options
    private let identity: TickConnection.Identity
    private let handOver: HandOver
    private let board: Board
    private let logger: Logger

    private var connection: TickConnection?
    private var attempt: Attempt?
    /// What was dropped and what happened to the file, and isn't in the file yet.
    private(set) var carried: CarriedLosses
    /// How many transactions with notes the file holds.
    private var notes: Int64
    private var places: FilePlaces
    private var problems = LogThrottle<Problem, MonotonicTime>()
    /// Whether gaps were written since the open ones were counted.
    private var openGapsMayDiffer = false
    /// Since when events were missed when the file was opened, in milliseconds since the Unix epoch.
    private let missedSince: Int64?
    /// See ``TickConnection/Contents/created``.
    private let created: Int64?
    /// No row gets an earlier time of receipt than a row before it, whatever the clock does; while the clock is behind,
    /// each batch gets a later one.
    private var greatestReceipt: Int64
    /// How many losses a closing buffer has given up: no file counts them.
    private var givenUp: Int64 = 0

    init(
        _ file: StoreFile, lock: FileLock, options: TickBuffer.Options, opened: OpenedTicks, handOver: HandOver,
        board: Board, logger: Logger
    ) {
        self.file = file
        self.lock = lock
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
        places = FilePlaces(file)
    }

    var path: String { file.path }

    /// Whether there is a connection; without one, ``reopen()`` comes first.
    var isOpen: Bool { connection != nil }

    /// Whether ``reopen()`` has to find out what became of a transaction.
    var isInDoubt: Bool { attempt != nil && connection == nil }

    /// The log's frames that are not in the file yet, and all of them, in bytes; zeros without a connection.
    var logBytes: (unmoved: Int64, length: Int64) { connection?.logBytes ?? (unmoved: 0, length: 0) }

    /// Notes that nothing of the last transaction is in the file.
    func forgetAttempt() { attempt = nil }

    // MARK: Writing

    /// Takes over what was lost before `work`, and dates its batches.
    func take(_ work: inout HandOver.Work) {
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
    }

    /// Counts a batch as rejected for lack of room.
    func reject(_ batch: EventBatch) { carried.drops.add(batch, .newRejected) }

    /// How far rows may be dated ahead of the clock before that is logged, in microseconds.
    private static let clockTolerance: Int64 = 5_000_000

    /// Logs that rows are dated just after the last ones, which is later than the clock shows.
    private func noteLead(_ microseconds: Int64) {
        guard let count = problems.occurred(.clock, "", now: .now()) else { return }
        logger.warning(
            "the clock is behind the time at which earlier rows were received; until it catches up, new rows are dated just after those; run edgetick doctor to check the clock",
            metadata: ["ahead_seconds": "\(microseconds / 1_000_000)", "count": "\(count)"])
    }

    /// Writes `work` and the carried losses in one transaction.
    ///
    /// - Parameter isUpkeep: Whether it holds no work of the queue.
    func write(_ work: HandOver.Work, isUpkeep: Bool = false) throws(StoreError) {
        let start = MonotonicTime.now()
        try commit(work, isUpkeep: isUpkeep)
        publish(work, took: MonotonicTime.now().since(start))
    }

    private func commit(_ work: HandOver.Work, isUpkeep: Bool) throws(StoreError) {
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
            try storeLosses(with: work.notes, left, now: now)
            try boundLetters(statistics, now: now)
            try connection.notes.count(notes: noteCount)
        }
    }

    /// Stores the carried losses and the notes, in the transaction under way, which has the letters and the ledger's
    /// word already.
    ///
    /// - Parameter left: The counts of the letters that were discarded.
    private func storeLosses(with notes: Notes, _ left: DropTally, now: Int64) throws(StoreError) {
        guard let statements = connection?.notes else { return }
        for (stream, sequence) in notes.sentAgain { try statements.sendAgain(stream, through: sequence) }
        for (stream, sequence) in notes.gone { try statements.note(gone: sequence, of: stream) }
        for move in notes.moves { try statements.add(move, under: identity.id) }
        for (id, stream) in notes.forgotten { try statements.forget(id, stream) }
        // Gaps taken over from a lost file come first: what follows may end some of them.
        var losses = carried
        losses.drops.add(left)
        let taken = try statements.add(losses, episode: currentEpisode(), now: now)
        let newGaps = try statements.add(notes.gaps, now: now)
        attempt?.newGaps = newGaps
        attempt?.gaps = newGaps + taken
        for fill in notes.fills { try statements.add(fill, now: now) }
        let settlesGaps = notes.fills.contains { $0.state != nil }
        if !notes.gaps.isEmpty || settlesGaps || !losses.gaps.isEmpty { openGapsMayDiffer = true }
        for day in notes.reconciled { try statements.add(day) }
        if notes.changesLetters { attempt?.letters = try statements.letterCounts() }
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
            } else if !letter.isUploaded, letter.sequence <= statistics[letter.stream].marks.acknowledged {
                settled.append(letter)
            }
        }
        return DropTally(settling: settled)
    }

    /// Stores carried losses without waiting for events.
    func storeCarried() throws(StoreError) {
        if !carried.isEmpty { try write(HandOver.Work(), isUpkeep: true) }
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

    /// Updates the marks after the sync.
    ///
    /// - Parameter duration: How long the transaction took; `nil` if it was found in the file, so that the statistics
    ///   already include its notes.
    func publish(_ work: HandOver.Work, took duration: Duration?) {
        guard let attempt else { return }
        self.attempt = nil
        let hadNotes = attempt.notes != notes
        notes = attempt.notes
        let drops = carried.drops.total
        if hadNotes, duration != nil { carried.areStored() }
        for (letter, number) in attempt.placed { letter.placed(number) }
        showDrops { statistics in
            for stream in EventStream.allCases {
                let before = statistics[stream].marks.last
                statistics[stream].appended += attempt.last[stream] - before
                statistics[stream].marks.last = attempt.last[stream]
            }
            statistics.commits += 1
            statistics.lastCommit = duration ?? .zero
            statistics.latestReceipt = greatestReceipt / 1000
            if hadNotes { statistics.recordedGaps += max(0, attempt.newGaps) }
            if hadNotes, duration != nil {
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

    /// Writes a sign of life to the file, so that the next collector knows since when none was running.
    func signLife() throws(StoreError) {
        guard let connection else { return }
        try connection.transaction { () throws(StoreError) in
            try connection.notes.noteAlive(now: WallClock.microseconds())
        }
    }

    /// Updates the statistics, and in the same step what they show of the drops that aren't in the file yet.
    func showDrops(_ change: (inout BufferStatistics) -> Void) {
        handOver.keepsDrops(carried.drops.total) { board.update(change) }
    }

    private func currentEpisode() -> Int64 { carried.episode(now: .now(), wall: WallClock.microseconds()) }

    // MARK: Room

    /// The part of the file in use, and its free pages, in bytes; `nil` without a connection.
    func usage() throws(StoreError) -> (used: Int64, free: Int64)? { try connection?.usage() }

    /// Moves the log into the file, as far as readers let it; without a connection there is nothing to move.
    ///
    /// - Returns: Whether everything was moved.
    func checkpoint(_ mode: Int32) throws(StoreError) -> Bool { try connection?.checkpoint(mode) ?? true }

    /// Deletes a stream's rows through a sequence, with the mark and, for rows that waited, the counts in the same
    /// transaction.
    func delete(
        _ stream: EventStream, through: Int64, marks: UploadMarks, countingFrom first: Int64? = nil
    ) throws(StoreError) {
        guard let connection else { return }
        var tally = carried.drops
        try connection.transaction { () throws(StoreError) in
            if let first {
                try connection.notes.count(
                    stream, after: first, through: through, as: .oldestDropped, into: &tally)
            }
            try connection.notes.delete(stream, through: through)
            try connection.notes.mark(stream, acknowledged: marks.acknowledged, deletedThrough: through)
            if first != nil { try store(tally) }
        }
        board.update { $0[stream].marks.deleted = max($0[stream].marks.deleted, through) }
        if first != nil {
            let dropped = tally.total - carried.drops.total
            logDrops(dropped, stream: stream)
            stored(tally, noRoom: dropped)
            try findOldestPending(again: true)
        }
    }

    /// Deletes the oldest dead letters, and returns how many.
    func deleteLetters(_ rows: Int64) throws(StoreError) -> Int64 {
        guard let connection else { return 0 }
        let statistics = board.current
        var tally = carried.drops
        var left: [EventStream: Int64] = [:]
        try connection.transaction { () throws(StoreError) in
            try connection.notes.deleteOldestLetters(rows, settled: statistics, into: &tally)
            try store(tally)
            left = try connection.notes.letterCounts()
        }
        let deleted = tally.total - carried.drops.total
        stored(tally)
        board.update { $0.letters = left }
        if deleted > 0 { logLettersDropped(deleted) }
        return deleted
    }

    private func store(_ tally: DropTally) throws(StoreError) {
        guard let connection else { return }
        try connection.notes.add(tally, episode: currentEpisode(), now: WallClock.microseconds())
        try connection.notes.count(notes: notes + 1)
    }

    private func stored(_ tally: DropTally, noRoom: Int64 = 0) {
        notes += 1
        carried.drops = DropTally()
        showDrops { statistics in
            statistics.drops += tally.total
            statistics.noRoom += noRoom
        }
    }

    /// Logs that dead letters were dropped to make room.
    private func logLettersDropped(_ count: Int64) {
        guard let times = problems.occurred(.dropping, "letters", now: .now()) else { return }
        logger.error(
            "the oldest dead letters were dropped to make room",
            metadata: ["rows": "\(count)", "steps": "\(times)", "limit": "\(options.maximumLetters)"])
    }

    private func logDrops(_ count: Int64, stream: EventStream) {
        guard let times = problems.occurred(.dropping, "\(stream)", now: .now()) else { return }
        var metadata: Logger.Metadata = [
            "stream": "\(stream.rawValue)", "rows": "\(count)", "steps": "\(times)", "path": "\(file.path)",
        ]
        if board.current.state == .diskFull {
            logger.error(
                "the disk is full, so the buffer drops its oldest rows that wait for upload", metadata: metadata)
        } else {
            metadata["limit"] = "\(options.maximumBytes)"
            logger.error("the buffer is full and drops its oldest rows that wait for upload", metadata: metadata)
        }
    }

    /// Returns the stream, among those that qualify, whose first row was received first.
    func oldest(where qualifies: (UploadMarks) -> Bool) throws(StoreError) -> EventStream? {
        guard let connection else { return nil }
        let statistics = board.current
        var found: (stream: EventStream, received: Int64)?
        for stream in EventStream.allCases where qualifies(statistics[stream].marks) {
            let received = try connection.received(stream, from: statistics[stream].marks.deleted + 1) ?? 0
            if found.map({ received < $0.received }) ?? true { found = (stream, received) }
        }
        return found?.stream
    }

    /// Returns the last sequence of some rows that was received by the cutoff, in microseconds since the Unix epoch.
    func lastExpired(
        _ stream: EventStream, after: Int64, through: Int64, cutoff: Int64
    ) throws(StoreError) -> Int64 {
        guard let connection else { return after }
        func receipt(_ sequence: Int64) throws(StoreError) -> Int64? {
            try connection.notes.receipt(stream, through: sequence)
        }
        return try connection.perform { () throws(StoreError) -> Int64 in
            if try receipt(through) ?? .min <= cutoff { return through }
            return try ReceiptOrder.first(in: after + 1...through, receivedFrom: cutoff + 1, receipt) - 1
        }
    }

    /// Deletes gaps that lack nothing, and incidents, from before a moment, in microseconds since the Unix epoch.
    ///
    /// - Returns: Whether there may be others.
    func forgetNotes(before moment: Int64, most: Int64) throws(StoreError) -> Bool {
        guard let connection else { return false }
        let gone = try connection.transaction { () throws(StoreError) in
            try connection.notes.forget(before: moment, most: most)
        }
        board.update { $0.gaps -= gone.gaps }
        return gone.gaps + gone.incidents > 0
    }

    // MARK: Opening again

    /// Drops the connection; the next try opens the file again.
    func closeAfterFailure() {
        do {
            try TickConnection.close(&connection)
        } catch {
            logger.debug("the failed connection did not close", metadata: ["error": "\(error)"])
        }
    }

    /// Opens the file again and compares it with what memory says is durable.
    ///
    /// - Returns: Whether the transaction of unknown outcome is in the file and durable; `false` if it was one of the
    ///   upkeep, which is settled here.
    func reopen() throws(StoreError) -> Bool {
        try holdLock()
        switch try file.inspect() {
        case .ours: break
        case .fresh:
            let waiting = board.current.waitingRows(.vanished)
            carried.drops.add(waiting)
            forgetRows(waiting, .vanished)
        case .bad(let why):
            let error = file.unusable(why, to: "open")
            guard options.isCollecting else { throw error }
            setAside(because: error)
        }
        var opened: TickConnection? = try open()
        var contents = try opened?.read(TickConnection.contents) ?? TickConnection.Contents()
        if contents.id != identity.id {
            try TickConnection.close(&opened)
            let error = StoreError(
                .foreign, operation: "use", path: file.path, underlying: "the file of another buffer took its place")
            guard options.isCollecting else { throw error }
            setAside(because: error)
            opened = try open()
            contents = try opened?.read(TickConnection.contents) ?? contents
        }
        // Everything that can be read is moved and synced now, whatever became of the log on the disk.
        if attempt != nil, try opened?.checkpoint(SQLITE_CHECKPOINT_PASSIVE) == false {
            throw pinnedError(length: opened?.logBytes.length ?? 0)
        }
        let totals = try opened?.read(TickConnection.totals)
        let isThere = attempt.map { isCommitted($0, in: contents) } ?? false
        if isThere, attempt?.notes != notes { carried.areStored() }
        reconcile(contents, isThere: isThere)
        showDrops { statistics in
            guard let totals else { return }
            statistics.drops = totals.drops + givenUp
            statistics.gaps = totals.gaps
            statistics.openGaps = totals.openGaps
            statistics.lastGivenUpGap = totals.lastGivenUpGap
            statistics.letters = totals.letters
        }
        connection = opened
        places = FilePlaces(file)
        board.fileChanged()
        guard isThere, attempt?.isUpkeep == true else { return isThere }
        publish(HandOver.Work(), took: nil)
        return false
    }

    private func open() throws(StoreError) -> TickConnection {
        try TickConnection.open(file, synchronous: options.synchronous.rawValue, identity: identity, seed: seed)
    }

    /// What a fresh file takes over.
    private var seed: TickConnection.Contents {
        var seed = TickConnection.Contents()
        seed.notes = notes
        seed.created = created
        seed.line = board.line
        seed.missedSince = options.isCollecting ? WallClock.microseconds() / 1000 : missedSince
        seed.streams = board.current.streams.mapValues(\.marks)
        return seed
    }

    private func isCommitted(_ attempt: Attempt, in contents: TickConnection.Contents) -> Bool {
        if attempt.hasEvents {
            return EventStream.allCases.allSatisfy { contents[$0].last >= attempt.last[$0] }
        }
        return attempt.notes > notes && contents.notes >= attempt.notes
    }

    /// Reconciles memory with the file. What memory knew to be durable and the file lacks is counted.
    private func reconcile(_ contents: TickConnection.Contents, isThere: Bool) {
        if !isThere {
            attempt = nil
            // A deletion of unknown outcome that did happen included its counts.
            if contents.notes == notes + 1 { carried.drops = DropTally() }
            notes = contents.notes
        }
        let (missing, found) = board.update { $0.reconcile(with: contents, isThere: isThere) }
        carried.drops.add(missing)
        if missing.total > 0 {
            logger.error(
                "durable rows are no longer in the buffer's file",
                metadata: ["rows": "\(missing.total)", "path": "\(file.path)"])
        }
        if found > 0 {
            logger.warning(
                "the buffer's file holds rows that another program wrote",
                metadata: ["rows": "\(found)", "path": "\(file.path)"])
        }
    }

    /// Lowers acknowledgements to where the ledger upstream is: a server without its last transactions, a standby or a
    /// restored backup, took the other's place. Ledger and rows are one transaction, so everything after the ledger's
    /// mark is sent again.
    ///
    /// - Parameter asked: The streams whose rows a person wants sent again; upstream need not have lost any of them.
    func agree(with ledger: [EventStream: Int64], asked: Set<EventStream>) {
        for (stream, uploaded) in ledger {
            let marks = board.current[stream].marks
            guard uploaded < marks.acknowledged else { continue }
            board.update { statistics in
                // What was sent again before is upstream, so that it says nothing of what waits now.
                if marks.sentAgain <= marks.acknowledged { statistics[stream].marks.sentAgain = 0 }
                statistics[stream].marks.acknowledged = uploaded
            }
            let gone = max(uploaded, min(marks.acknowledged, marks.deleted))
            let lost = gone > uploaded ? lostSoFar(of: stream).missing(in: uploaded + 1...gone) : []
            let absent = try? connection?.read { try SequenceSpans.neverUpstream(of: stream, $0) }
            let others = SequenceSpans(absent ?? [])
            var count: Int64 = 0
            for span in lost {
                let rows = others.missing(in: span).reduce(0) { $0 + Int64($1.count) }
                carried.drops.addUnknown(stream, .upstreamLost, sequences: span, count: rows)
                count += rows
            }
            var metadata: Logger.Metadata = [
                "stream": "\(stream.rawValue)", "confirmed": "\(marks.acknowledged)",
                "sent_again": "\(marks.acknowledged - gone)", "lost": "\(count)",
            ]
            if asked.contains(stream) {
                let detail =
                    "\(stream.rawValue): rows from \(uploaded + 1) on are sent again, as a person has asked; upstream "
                    + "had confirmed those through \(marks.acknowledged)"
                carried.incidents.append(Incident("rows sent again", detail: detail))
                metadata["from"] = "\(uploaded + 1)"
                logger.notice(
                    "rows that the database had confirmed are sent again, as a person has asked", metadata: metadata)
            } else {
                let detail =
                    "\(stream.rawValue): upstream now has only the rows through \(uploaded), but had confirmed those "
                    + "through \(marks.acknowledged)"
                carried.incidents.append(Incident("upstream went back", detail: detail))
                metadata["upstream"] = "\(uploaded)"
                logger.error(
                    "the database lost rows that it had confirmed; those that are still in the buffer are sent again",
                    metadata: metadata)
            }
        }
    }

    /// The rows of a stream that are counted as lost upstream: a database that loses rows again has not lost these again.
    private func lostSoFar(of stream: EventStream) -> SequenceSpans {
        let waiting = carried.drops.entries.compactMap { key, entry -> ClosedRange<Int64>? in
            guard key.stream == stream, key.reason == .upstreamLost, let first = entry.firstSequence,
                let last = entry.lastSequence
            else { return nil }
            return first...last
        }
        let stored = try? connection?.read { try SequenceSpans.lostUpstream(of: stream, $0) }
        return SequenceSpans(waiting + (stored ?? []))
    }

    /// Notes that no row is in the file any more; those in `waiting` are counted.
    private func forgetRows(_ waiting: DropTally, _ reason: DropReason) {
        board.update { $0.forgetRows() }
        guard waiting.total > 0 else { return }
        logger.error(
            "rows that waited for upload are gone with the buffer's file",
            metadata: ["rows": "\(waiting.total)", "reason": "\(reason.rawValue)", "path": "\(file.path)"])
    }

    /// Sets a bad file aside and counts the rows that waited in it. A fresh file, which continues the old one's sequences
    /// and takes over its unfilled gaps, takes its place at once, so that a kill forgets nothing. If the disk allows
    /// none, the next attempt makes it. A command leaves the file to `edgetick repair`.
    func setAside(because error: StoreError) {
        guard options.isCollecting else { return board.found(error) }
        closeAfterFailure()
        attempt = nil
        // Another process's file must not be touched.
        guard lock.isInPlace else { return }
        let now = WallClock.microseconds()
        let name = file.freeName(now: now / 1_000_000)
        let why = error.underlying ?? "damaged"
        let gaps = UnfilledGaps(file.path, id: identity.id)
        let waiting = board.current.waitingRows(.fileSetAside)
        var left = carried
        left.drops.add(waiting)
        left.gaps += gaps.gaps
        let prior = error.reason == .foreign ? PriorLosses() : PriorLosses(file.path)
        left.drops.add(prior.drops)
        left.incidents += prior.incidents
        left.incidents.append(Incident(Incident.setAside, detail: "\(name): \(why); \(gaps.text)"))
        var stored = left
        do throws(StoreError) {
            do throws(StoreError) {
                try OpenedTicks.replace(file, by: identity, seed, &stored, options, now: now)
            } catch {
                logger.debug("the next file can't be made yet", metadata: ["error": "\(error)"])
                stored = left
                _ = try file.setAside(now: now / 1_000_000)
            }
        } catch {
            logger.error("the buffer's bad file could not be set aside", metadata: ["error": "\(error)"])
            return
        }
        carried = stored
        forgetRows(waiting, .fileSetAside)
        // The old file's total already includes the losses of earlier files.
        showDrops { $0.drops += max(0, left.drops.total - stored.drops.total - prior.drops.total) }
        if stored.isEmpty { board.notesChanged() }
        noteFilesSetAside()
        board.fileChanged()
        logger.error(
            "the buffer's file was bad and was set aside; a fresh one is started; to recover the rows of a damaged file, run edgetick repair --file",
            metadata: ["reason": "\(why)", "set_aside": "\(name)", "gaps": "\(gaps.text)"])
    }

    // MARK: The files' names

    /// Renews a lock whose file somebody removed or replaced. The directory's lock has kept other processes out
    /// meanwhile, unless the directory was removed too.
    ///
    /// - Throws: `.inUse` if another process holds the new lock; nothing is written then.
    func holdLock() throws(StoreError) {
        guard !lock.isInPlace else { return }
        do throws(StoreError) {
            try lock.renew()
        } catch {
            // The other process's log has the same name as this one's.
            try? connection?.leaveFiles()
            closeAfterFailure()
            throw error
        }
        handOver.record(
            Incident("lock replaced", detail: "\(lock.path) was removed or replaced while it was held"))
        logger.error(
            "the buffer's lock file was removed or replaced while it was in use; the lock was renewed; only edgetick may touch this file",
            metadata: ["path": "\(lock.path)"])
    }

    /// Checks whether the files are still the ones that were opened.
    ///
    /// - Throws: `.damaged` for a file that became shorter, which a collector then sets aside; other errors cause the
    ///   file to be opened again.
    func checkPlaces() throws(StoreError) {
        guard let connection else { return }
        let log = connection.logBytes.length
        guard
            let fault = places.look(
                file: .init(file.path), log: .init(file.path + "-wal"),
                logBytes: log > 0 ? log + TickConnection.logHeaderBytes : 0)
        else { return }
        let reason: StoreError.Reason =
            switch fault {
            case .missing: .missing
            case .replaced: .foreign
            case .shortened: .damaged
            case .logMissing, .logReplaced, .logShortened: .inputOutput
            }
        if fault == .logMissing || fault == .logReplaced {
            // The log that the connection has open still holds everything. A reader may be in the way for a moment.
            guard try connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE) else { throw pinnedError(length: log) }
            if fault == .logReplaced { try file.setLogAside(now: WallClock.microseconds() / 1_000_000) }
        }
        var detail = "\(file.path): \(fault.rawValue) while a collector ran"
        if fault == .missing || fault == .replaced {
            let gaps = connection.unfilledGaps()
            carried.gaps += gaps.gaps
            detail += "; \(gaps.text)"
        }
        handOver.record(Incident("file changed", detail: detail))
        try connection.leaveFiles()
        throw StoreError(reason, operation: "write", path: file.path, underlying: fault.rawValue)
    }

    /// Returns the error for a log that a reader keeps from being emptied.
    func pinnedError(length: Int64) -> StoreError {
        StoreError(
            .pinned, operation: "empty the write-ahead log of", path: file.path,
            underlying: "it is \(length >> 20) MiB long; writing stops at \(options.maximumLogBytes >> 20) MiB")
    }

    /// Publishes which bad files are in the data directory: a person may have moved some away.
    func noteFilesSetAside() {
        let paths = file.filesSetAside()
        let repaired = file.repairedFiles(of: paths)
        board.update {
            $0.setAside = paths
            $0.repairedFiles = repaired
        }
    }

    /// Publishes how large the files are, and what became of gaps if that may have changed.
    func measure() throws(StoreError) {
        let fileBytes = StoreFile.size(of: file.path)
        let walBytes = StoreFile.size(of: file.path + "-wal")
        let used = try connection?.usage().used
        board.update { statistics in
            statistics.fileBytes = fileBytes
            statistics.walBytes = walBytes
            if let used { statistics.usedBytes = used }
        }
        guard openGapsMayDiffer, let connection else { return }
        // Reads all gaps: not in each commit.
        let open = try connection.perform(connection.notes.openGapCount)
        let lastGivenUp = try connection.perform(connection.notes.lastGivenUpGap)
        board.update { statistics in
            statistics.openGaps = open
            statistics.lastGivenUpGap = lastGivenUp
        }
        openGapsMayDiffer = false
    }

    // MARK: The end

    /// Stores what is left and closes the file for good.
    func close() {
        do {
            if !carried.isEmpty {
                if connection == nil { _ = try reopen() }
                try storeCarried()
            }
            if options.isCollecting { try signLife() }
            if let connection, try !connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE) {
                logger.debug("a reader kept the write-ahead log from being emptied; the next start does it")
            }
            try TickConnection.close(&connection)
        } catch {
            logger.warning(
                "the buffer did not close cleanly; the next start recovers it", metadata: ["error": "\(error)"])
        }
    }

    /// Logs what a closing buffer could no longer write, and lets others have the file.
    func release(losing work: HandOver.Work) {
        giveUp(work)
        lock.release()
    }

    /// Logs what a closing buffer could no longer write.
    func giveUp(_ work: HandOver.Work) {
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
        givenUp += dropped
        showDrops { $0.drops += dropped }
        attempt = nil
    }
}
