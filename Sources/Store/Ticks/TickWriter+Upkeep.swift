import GRDBSQLite
import Glibc
import Logging
import MarketData

/// What the writer does between commits: the log, old rows, the disk. One small step per call.
extension TickWriter {
    /// How long incidents, and gaps that lack nothing, are kept, in microseconds. What is missing, and what was compared, is
    /// kept for good: people ask for the coverage of any day.
    private static let notesKept: Int64 = 400 * 86_400_000_000

    /// Does what is due.
    ///
    /// - Returns: Whether more is due at once.
    func keepUp() -> Bool {
        do {
            let now = MonotonicTime.now()
            if now >= schedule.watch { try watch(now) }
            guard connection != nil else { return false }
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
                if connection != nil { attempt = nil }
            default:
                closeAfterFailure()
                if error.reason == .damaged { setAside(because: error) }
            }
            schedule.failed(until: .now().advanced(by: backoff.failed()))
            return false
        }
    }

    /// Writes a sign of life to the file, so that the next collector knows since when none was running.
    func signLife() throws(StoreError) {
        schedule.gaveSignOfLife(now: .now())
        guard let connection else { return }
        try connection.transaction { () throws(StoreError) in
            try connection.notes.noteAlive(now: WallClock.microseconds())
        }
    }

    /// Empties a log that has reached its limit; throws if it can't, so that the log doesn't grow beyond that.
    func holdLogBound() throws(StoreError) {
        guard let connection, connection.logBytes.length >= checkpoints.maximumBytes else { return }
        guard try !connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE) else { return }
        pinned(length: connection.logBytes.length)
        throw pinnedError(length: connection.logBytes.length)
    }

    /// Checks the disk, the lock and whether the files are still in place, and opens the file again after a failure.
    private func watch(_ now: MonotonicTime) throws(StoreError) {
        schedule.watched(now: now)
        noteFilesSetAside()
        try holdLock()
        if connection == nil {
            _ = try reopen()
            try storeCarried()
            recovered()
        }
        lookAtDisk()
        try lookForRoom()
        if !room.isFull { reserve.hold() }
        try checkPlaces()
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

    /// Publishes how much room the disk has, and logs when it becomes low and when there is enough again.
    func lookAtDisk() {
        guard let space = DiskReserve.space(in: file.directory) else { return }
        board.update { statistics in
            statistics.diskFreeBytes = space.free
            statistics.diskSizeBytes = space.total
        }
        let isLow = board.current.diskIsLow
        guard room.look(free: space.free, isLow: isLow) else { return }
        let metadata: Logger.Metadata = [
            "free": "\(space.free)", "size": "\(space.total)", "directory": "\(file.directory)",
        ]
        if isLow {
            logger.warning("the buffer's disk is nearly full; free some space", metadata: metadata)
        } else {
            logger.notice("the buffer's disk has enough free space again", metadata: metadata)
        }
    }

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
    private func checkPlaces() throws(StoreError) {
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

    /// Publishes which bad files are in the data directory: a person may have moved some away.
    func noteFilesSetAside() {
        let paths = file.filesSetAside()
        board.update { $0.setAside = paths }
    }

    private func moveLog() throws(StoreError) {
        guard let connection else { return }
        let log = connection.logBytes
        let now = MonotonicTime.now()
        if log.length < checkpoints.reportedBytes { unpinned() }
        let step = checkpoints.next(
            unmoved: log.unmoved, length: log.length, isQuiet: handOver.isQuiet, diskIsTight: room.isDiskTight, now: now
        )
        guard step != .none else { return }
        // If the log was truncated, what it lacks must not be moved into the file.
        try checkPlaces()
        let isDone = try connection.checkpoint(
            step == .truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE)
        checkpoints.finished(isPinned: !isDone, now: MonotonicTime.now())
        if !isDone, log.length >= checkpoints.reportedBytes { pinned(length: log.length) }
    }

    /// Deletes uploaded rows that are older than the retention, one step of one stream. Only a collector does: a command
    /// may be there to send old rows of a repaired copy again.
    private func expireStep(_ now: MonotonicTime) throws(StoreError) -> Bool {
        guard now >= schedule.retention, let connection else { return false }
        guard options.isCollecting else {
            schedule.expired(now: now, kept: options.retention)
            return false
        }
        let cutoff = WallClock.microseconds() - options.retention.nanoseconds / 1000
        let statistics = board.current
        for stream in EventStream.allCases {
            let marks = statistics[stream].marks
            guard marks.deletable > marks.deleted else { continue }
            let end = min(marks.deletable, marks.deleted + TickWriter.deletionStep)
            let through = try connection.perform { () throws(StoreError) in
                try lastExpired(stream, after: marks.deleted, through: end, cutoff: cutoff)
            }
            guard through > marks.deleted else { continue }
            try delete(stream, through: through, marks: marks)
            if through == end { return true }
        }
        schedule.expired(now: now, kept: options.retention)
        return false
    }

    /// Deletes gaps that lack nothing, and incidents, that are older than ``notesKept``, a few at a time.
    private func forgetStep(_ now: MonotonicTime) throws(StoreError) -> Bool {
        guard options.isCollecting, now >= schedule.forgetting, let connection else { return false }
        let moment = WallClock.microseconds() - TickWriter.notesKept
        let gone = try connection.transaction { () throws(StoreError) in
            try connection.notes.forget(before: moment, most: TickWriter.deletionStep)
        }
        board.update { $0.gaps -= gone.gaps }
        guard gone.gaps + gone.incidents == 0 else { return true }
        schedule.forgot(now: now)
        return false
    }

    /// Returns the last sequence whose row was received by the cutoff.
    private func lastExpired(
        _ stream: EventStream, after: Int64, through: Int64, cutoff: Int64
    ) throws(StoreError) -> Int64 {
        guard let connection else { return after }
        func receipt(_ sequence: Int64) throws(StoreError) -> Int64? {
            try connection.notes.receipt(stream, through: sequence)
        }
        if try receipt(through) ?? .min <= cutoff { return through }
        return try ReceiptOrder.first(in: after + 1...through, receivedFrom: cutoff + 1, receipt) - 1
    }
}

extension FilePlaces {
    /// The files that a connection has just opened.
    init(_ file: StoreFile) {
        self.init(file: Entry(file.path), log: Entry(file.path + "-wal"))
    }
}
