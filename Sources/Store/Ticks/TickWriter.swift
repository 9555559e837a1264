import GRDBSQLite
import Logging
import MarketData

/// The loop that makes events durable. It runs on a thread of its own, and nothing else touches the writing connection.
///
/// It takes everything queued, inserts it in one transaction, and moves the durable marks after the commit's sync.
/// Between commits it moves the log into the file, deletes old rows and watches the disk, one small step at a time.
final class TickWriter {
    /// Problems that are logged immediately and then every half minute.
    private enum Problem {
        case writing, pinned, rejecting
    }

    /// What has no room for new events.
    private enum Shortage {
        case limit, disk
    }

    /// How many rows one transaction deletes: a few milliseconds.
    private static let deletionStep: Int64 = 5000
    /// How long incidents, and gaps that lack nothing, are kept, in microseconds. What is missing, and what was compared, is
    /// kept for good: people ask for the coverage of any day.
    private static let notesKept: Int64 = 400 * 86_400_000_000

    let file: TickFile
    private let options: TickBuffer.Options
    private let handOver: HandOver
    private let board: Board
    private let logger: Logger

    private var checkpoints: CheckpointPolicy
    private var backoff = WriteBackoff()
    private var problems = LogThrottle<Problem, MonotonicTime>()
    private var reserve: DiskReserve
    private var room = RoomState()
    private var isPinned = false
    private var schedule = UpkeepSchedule(now: .now())

    init(
        file: StoreFile, lock: FileLock, options: TickBuffer.Options, opened: OpenedTicks, handOver: HandOver,
        board: Board, logger: Logger
    ) {
        self.file = TickFile(
            file, lock: lock, options: options, opened: opened, handOver: handOver, board: board, logger: logger)
        self.options = options
        self.handOver = handOver
        self.board = board
        self.logger = logger
        checkpoints = CheckpointPolicy(maximumBytes: options.maximumLogBytes)
        reserve = DiskReserve(directory: file.directory)
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
        file.take(&work)
        if let damage = work.damage, damage.generation == board.generation { file.setAside(because: damage.error) }
        work.damage = nil
        if let ledger = work.notes.ledger { file.agree(with: ledger, asked: work.notes.asked) }
        while true {
            do {
                if !file.isOpen, try file.reopen() {
                    // The transaction of unknown outcome turned out to be in the file.
                    file.publish(work, took: nil)
                } else {
                    try holdLogBound()
                    try makeRoom(for: &work)
                    try file.write(work)
                }
                if work.events > 0 { room.wroteEvents() }
                if room.isRefused { publishState() } else { recovered() }
                return
            } catch {
                // The state is published first: whoever learns of a failure must see it there.
                publishFailure(error)
                handOver.failed(error)
                if error.reason == .diskFull, file.isOpen, work.batches.count > 1, work.events > 1000 {
                    // A small transaction takes little room in the log, and may still fit.
                    for piece in work.split(most: 1000) { write(piece) }
                    return
                }
                guard triesAgain(after: error, work: &work) else { return file.giveUp(work) }
            }
        }
    }

    /// Finds out what became of a transaction of the upkeep whose outcome is unknown, before anything is added to what
    /// it stored: if it is in the file, that proves nothing of the work that comes now.
    private func settleUpkeep() {
        while file.isInDoubt {
            do {
                if try !file.reopen() { file.forgetAttempt() }
            } catch {
                publishFailure(error)
                handOver.failed(error)
                var nothing = HandOver.Work()
                guard triesAgain(after: error, work: &nothing) else { return }
            }
        }
    }

    /// Closes the file for good.
    private func end() {
        file.close()
        reserve.release()
        file.release(losing: handOver.end())
        handOver.writerEnded()
    }

    // MARK: Failures

    /// Does what the failure requires before the next attempt, and waits; returns whether to make one.
    private func triesAgain(after error: StoreError, work: inout HandOver.Work) -> Bool {
        switch error.reason {
        case .busy, .pinned:
            // Nothing was written; without a connection an earlier attempt's outcome is still open.
            if file.isOpen { file.forgetAttempt() }
        case .diskFull:
            room.diskIsFull()
            if file.isOpen { freeRoomOnFullDisk(work: &work) } else { reserve.release() }
        case .damaged:
            file.closeAfterFailure()
            file.setAside(because: error)
        case .statement:
            file.forgetAttempt()
            file.closeAfterFailure()
        default:
            file.closeAfterFailure()
        }
        // A damaged file that a command leaves as it is gets no better.
        if let end = handOver.closesAt, board.damage != nil || MonotonicTime.now() >= end { return false }
        handOver.pause(error.reason == .pinned ? CheckpointPolicy.pause : backoff.failed())
        return true
    }

    /// Reports that writing fails: in the statistics, and in the log immediately and then every half minute.
    private func publishFailure(_ error: StoreError) {
        if error.reason == .diskFull { lookAtDisk() }
        file.showDrops { $0.state = error.reason == .diskFull ? .diskFull : .failing(message: error.description) }
        guard let count = problems.occurred(.writing, "\(error.reason)", now: .now()) else { return }
        logger.error(
            "the buffer can't be written; events wait in memory and the write is tried again",
            metadata: ["error": "\(error)", "failures": "\(count)"])
    }

    /// Notes that a write succeeded.
    private func recovered() {
        backoff.succeeded()
        if problems.ended(.writing) {
            logger.notice("writing to the buffer works again", metadata: ["path": "\(file.path)"])
        }
        publishState()
    }

    /// Shows the state that follows from what is known.
    private func publishState() {
        let length = file.logBytes.length
        let pinned = isPinned ? file.pinnedError(length: length).description : nil
        board.update { statistics in
            statistics.pinnedLog = pinned
            statistics.state = room.state
            if let pinned, length >= options.maximumLogBytes { statistics.state = .failing(message: pinned) }
        }
    }

    /// Reports that a reader's snapshot makes the log grow; at its limit, nothing more is written.
    private func pinned(length: Int64) {
        isPinned = true
        let error = file.pinnedError(length: length)
        board.update { statistics in
            statistics.pinnedLog = error.description
            if length >= options.maximumLogBytes { statistics.state = .failing(message: error.description) }
        }
        guard let count = problems.occurred(.pinned, "\(error.reason)", now: .now()) else { return }
        logger.error(
            "a reader keeps the buffer's log from being emptied", metadata: ["error": "\(error)", "tries": "\(count)"])
    }

    /// Notes that the log can be emptied again.
    private func unpinned() {
        guard isPinned else { return }
        isPinned = false
        if problems.ended(.pinned) {
            logger.notice("the buffer's write-ahead log can be emptied again", metadata: ["path": "\(file.path)"])
        }
        publishState()
    }

    // MARK: Room

    /// Makes `work` fit under the limit: uploaded rows go first, then whatever the policy says.
    private func makeRoom(for work: inout HandOver.Work) throws(StoreError) {
        guard var used = try file.usage()?.used else { return }
        let wanted = options.maximumBytes - Int64(work.bytes)
        if used > wanted {
            // A little more than needed, so that not every commit has to make room.
            let target = wanted - min(8 << 20, options.maximumBytes / 200)
            let before = board.current
            while used > target {
                // A row takes more than 50 bytes, so this never deletes more than twice what is needed.
                let rows = min(Self.deletionStep, max(50, (used - target) / 50))
                guard try deleteStep(rows) > 0 else { break }
                used = try file.usage()?.used ?? 0
            }
            let now = board.current
            // Dropped dead letters are not lost events.
            room.madeRoom(
                isFull: used > wanted || now.drops - before.drops > before.deadLetters - now.deadLetters)
        } else if used < wanted - options.maximumBytes / 50 || hasUploadedRows {
            // While every row waits for upload, a little free room means nothing: the file is soon full again.
            room.hasRoom()
        }
        board.update { $0.usedBytes = used }
        guard options.fullPolicy == .rejectNew else { return }
        if used > wanted {
            reject(&work, because: .limit)
        } else if room.isRefused(now: .now()) {
            reject(&work, because: .disk)
        }
    }

    /// Whether some rows can be deleted without a loss.
    private var hasUploadedRows: Bool {
        board.current.streams.values.contains { $0.marks.deletable > $0.marks.deleted }
    }

    /// Checks again whether the file is full, for when no events arrive to be written.
    private func lookForRoom() throws(StoreError) {
        guard room.isFull, !room.isDiskTight else { return }
        var nothing = HandOver.Work()
        try makeRoom(for: &nothing)
        if !room.isFull { publishState() }
    }

    /// Counts new events as dropped and forgets them. Fetched events are not lost: whoever fetched them learns that
    /// there was no room.
    private func reject(_ work: inout HandOver.Work, because shortage: Shortage) {
        let lost = work.batches.filter { $0.source == .stream }
        for batch in lost { file.reject(batch) }
        let count = lost.reduce(0) { $0 + $1.count }
        board.update { $0.noRoom += Int64(count) }
        if count > 0, let times = problems.occurred(.rejecting, "\(shortage)", now: .now()) {
            var metadata: Logger.Metadata = ["events": "\(count)", "steps": "\(times)", "path": "\(file.path)"]
            switch shortage {
            case .limit:
                metadata["limit"] = "\(options.maximumBytes)"
                logger.error("the buffer is full and rejects new events", metadata: metadata)
            case .disk: logger.error("the disk is full, so the buffer rejects new events", metadata: metadata)
            }
        }
        handOver.turnAway(work.batches.count { $0.source != .stream })
        work.batches = []
        work.events = 0
        room.rejected()
    }

    /// After the disk turned out to be full: releases the reserve, moves the log into the file, and deletes as the
    /// policy says.
    ///
    /// Rows that wait are deleted only while the file has too few free pages for what has to be written. A file that
    /// has them and still can't be written would gain nothing from losing more.
    private func freeRoomOnFullDisk(work: inout HandOver.Work) {
        file.forgetAttempt()
        reserve.release()
        do {
            _ = try file.checkpoint(SQLITE_CHECKPOINT_PASSIVE)
            let needed = Int64(work.bytes) * 2 + (256 << 10)
            while let free = try file.usage()?.free, free < needed {
                guard try deleteStep(Self.deletionStep) > 0 else { break }
            }
            _ = try file.checkpoint(SQLITE_CHECKPOINT_PASSIVE)
            guard options.fullPolicy == .rejectNew, let free = try file.usage()?.free, free < needed else { return }
            room.refused(now: .now())
            reject(&work, because: .disk)
        } catch {
            publishFailure(error)
            if options.fullPolicy == .rejectNew {
                room.refused(now: .now())
                reject(&work, because: .disk)
            }
            if error.reason != .diskFull { file.closeAfterFailure() }
        }
    }

    /// Deletes some of the oldest rows, and returns how many: uploaded ones, else dead letters, else waiting ones if
    /// the policy says so. One that an upload is sending at this moment is counted as dropped and may still arrive.
    func deleteStep(_ rows: Int64) throws(StoreError) -> Int64 {
        let statistics = board.current
        if let stream = try file.oldest(where: { $0.deletable > $0.deleted }) {
            let marks = statistics[stream].marks
            let through = min(marks.deletable, marks.deleted + rows)
            try file.delete(stream, through: through, marks: marks)
            return through - marks.deleted
        }
        if statistics.deadLetters > 0 {
            let deleted = try file.deleteLetters(rows)
            if deleted > 0 { return deleted }
        }
        // Here too, the newest row stays.
        guard options.fullPolicy == .dropOldest, let stream = try file.oldest(where: { $0.pending > 1 }) else {
            return 0
        }
        let marks = statistics[stream].marks
        let through = min(marks.last - 1, marks.settled + rows)
        try file.delete(stream, through: through, marks: marks, countingFrom: marks.settled)
        return through - marks.settled
    }

    // MARK: Upkeep

    /// Does what is due.
    ///
    /// - Returns: Whether more is due at once.
    func keepUp() -> Bool {
        do {
            let now = MonotonicTime.now()
            if now >= schedule.watch { try watch(now) }
            guard file.isOpen else { return false }
            if options.isCollecting, now >= schedule.signOfLife {
                try signLife()
                recovered()
            }
            try moveLog()
            if try expireStep(now) { return true }
            return try forgetStep(now)
        } catch {
            publishFailure(error)
            switch error.reason {
            case .busy, .pinned, .diskFull:
                // Nothing was written; without a connection an earlier attempt's outcome is still open.
                if file.isOpen { file.forgetAttempt() }
            default:
                file.closeAfterFailure()
                if error.reason == .damaged { file.setAside(because: error) }
            }
            schedule.failed(until: .now().advanced(by: backoff.failed()))
            return false
        }
    }

    /// Writes a sign of life to the file, so that the next collector knows since when none was running.
    func signLife() throws(StoreError) {
        schedule.gaveSignOfLife(now: .now())
        try file.signLife()
    }

    /// Empties a log that has reached its limit; throws if it can't, so that the log doesn't grow beyond that.
    private func holdLogBound() throws(StoreError) {
        guard file.logBytes.length >= options.maximumLogBytes else { return }
        guard try !file.checkpoint(SQLITE_CHECKPOINT_TRUNCATE) else { return }
        pinned(length: file.logBytes.length)
        throw file.pinnedError(length: file.logBytes.length)
    }

    /// Checks the disk, the lock and whether the files are still in place, and opens the file again after a failure.
    private func watch(_ now: MonotonicTime) throws(StoreError) {
        schedule.watched(now: now)
        file.noteFilesSetAside()
        try file.holdLock()
        if !file.isOpen {
            _ = try file.reopen()
            try file.storeCarried()
            // A disk that takes no writes may still let the file be opened and read.
            if options.isCollecting { try signLife() }
            recovered()
        }
        lookAtDisk()
        try lookForRoom()
        if !room.isFull { reserve.hold() }
        try file.checkPlaces()
        try file.measure()
    }

    /// Publishes how much room the disk has, and logs when it becomes low and when there is enough again.
    private func lookAtDisk() {
        guard let space = DiskReserve.space(in: reserve.directory) else { return }
        board.update { statistics in
            statistics.diskFreeBytes = space.free
            statistics.diskSizeBytes = space.total
        }
        let isLow = board.current.diskIsLow
        guard room.look(free: space.free, isLow: isLow) else { return }
        let metadata: Logger.Metadata = [
            "free": "\(space.free)", "size": "\(space.total)", "directory": "\(reserve.directory)",
        ]
        if isLow {
            logger.warning("the buffer's disk is nearly full; free some space", metadata: metadata)
        } else {
            logger.notice("the buffer's disk has enough free space again", metadata: metadata)
        }
    }

    private func moveLog() throws(StoreError) {
        let log = file.logBytes
        let now = MonotonicTime.now()
        if log.length < checkpoints.reportedBytes { unpinned() }
        let step = checkpoints.next(
            unmoved: log.unmoved, length: log.length, isQuiet: handOver.isQuiet, diskIsTight: room.isDiskTight, now: now
        )
        guard step != .none else { return }
        // If the log was truncated, what it lacks must not be moved into the file.
        try file.checkPlaces()
        let isDone = try file.checkpoint(
            step == .truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE)
        checkpoints.finished(isPinned: !isDone, now: MonotonicTime.now())
        if !isDone, log.length >= checkpoints.reportedBytes { pinned(length: log.length) }
    }

    /// Deletes uploaded rows that are older than the retention, one step of one stream. Only a collector does: a command
    /// may be there to send old rows of a repaired copy again.
    private func expireStep(_ now: MonotonicTime) throws(StoreError) -> Bool {
        guard now >= schedule.retention else { return false }
        guard options.isCollecting else {
            schedule.expired(now: now, kept: options.retention)
            return false
        }
        let cutoff = WallClock.microseconds() - options.retention.nanoseconds / 1000
        let statistics = board.current
        for stream in EventStream.allCases {
            let marks = statistics[stream].marks
            guard marks.deletable > marks.deleted else { continue }
            let end = min(marks.deletable, marks.deleted + Self.deletionStep)
            let through = try file.lastExpired(stream, after: marks.deleted, through: end, cutoff: cutoff)
            guard through > marks.deleted else { continue }
            try file.delete(stream, through: through, marks: marks)
            if through == end { return true }
        }
        schedule.expired(now: now, kept: options.retention)
        return false
    }

    /// Deletes gaps that lack nothing, and incidents, that are older than ``notesKept``, a few at a time.
    private func forgetStep(_ now: MonotonicTime) throws(StoreError) -> Bool {
        guard options.isCollecting, now >= schedule.forgetting else { return false }
        let moment = WallClock.microseconds() - Self.notesKept
        guard try !file.forgetNotes(before: moment, most: Self.deletionStep) else { return true }
        schedule.forgot(now: now)
        return false
    }
}
