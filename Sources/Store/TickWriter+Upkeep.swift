import GRDBSQLite
import Glibc
import Logging
import MarketData

/// What the writer does between commits: the log, old rows, the disk. One small step a call.
extension TickWriter {
    /// Does what is due.
    ///
    /// - Returns: Whether more is due at once.
    func keepUp() -> Bool {
        do {
            let now = MonotonicTime.now()
            if now >= nextWatch { try watch(now) }
            guard connection != nil else { return false }
            if now >= nextSignOfLife {
                try signLife()
                recovered()
            }
            try moveLog()
            return try expireStep(now)
        } catch {
            publishFailure(error)
            switch error.reason {
            case .busy, .pinned, .diskFull: break
            case .damaged: setAside(because: error)
            default: closeAfterFailure()
            }
            nextWatch = MonotonicTime.now().advanced(by: backoff.failed())
            nextRetention = nextWatch
            // The first write that succeeds says that the failure is over; no event may come for days.
            nextSignOfLife = nextWatch
            return false
        }
    }

    /// Tells the file that the collector is alive, for the next one to know since when none was.
    func signLife() throws(StoreError) {
        guard let connection else { return }
        nextSignOfLife = MonotonicTime.now().advanced(by: TickWriter.signOfLifeInterval)
        try connection.transaction { () throws(StoreError) in
            try connection.notes.noteAlive(now: WallClock.microseconds())
        }
    }

    /// Refuses to make the log longer than its limit.
    func holdLogBound() throws(StoreError) {
        guard let connection, connection.logBytes.length >= checkpoints.maximumBytes else { return }
        guard try !connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE) else { return }
        pinned(length: connection.logBytes.length)
        throw pinnedError(length: connection.logBytes.length)
    }

    /// Looks at the disk and at the file's place on it, and opens the file again after a failure.
    private func watch(_ now: MonotonicTime) throws(StoreError) {
        nextWatch = now.advanced(by: .seconds(1))
        noteFilesSetAside()
        if connection == nil {
            if try !reopen() { attempt = nil }
            recovered()
        }
        lookAtDisk()
        try lookForRoom()
        if !isFull { reserve.hold() }
        if let inode = file.inode, inode != self.inode {
            throw StoreError(.foreign, operation: "write", path: file.path, underlying: "another file took its place")
        } else if file.inode == nil {
            throw StoreError(.missing, operation: "write", path: file.path, underlying: "it was removed or renamed")
        }
        let fileBytes = StoreFile.size(of: file.path)
        let walBytes = StoreFile.size(of: file.path + "-wal")
        let used = try connection?.usage().used
        board.update { statistics in
            statistics.fileBytes = fileBytes
            statistics.walBytes = walBytes
            if let used { statistics.usedBytes = used }
        }
    }

    /// Shows what room the disk has, and says when little is left and when there is enough again.
    func lookAtDisk() {
        guard let space = DiskReserve.space(in: file.directory) else { return }
        diskIsTight = space.free < 64 << 20
        board.update { statistics in
            statistics.diskFreeBytes = space.free
            statistics.diskSizeBytes = space.total
        }
        let isLow = board.current.diskIsLow
        guard isLow != diskIsLow else { return }
        diskIsLow = isLow
        let metadata: Logger.Metadata = [
            "free": "\(space.free)", "size": "\(space.total)", "directory": "\(file.directory)",
        ]
        if isLow {
            logger.warning("The disk of the buffer has little room left; make room", metadata: metadata)
        } else {
            logger.notice("The disk of the buffer has room again", metadata: metadata)
        }
    }

    /// Tells which bad files lie beside the buffer's: a person may have taken some away.
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
            unmoved: log.unmoved, length: log.length, isQuiet: handOver.isQuiet, diskIsTight: diskIsTight, now: now)
        guard step != .none else { return }
        let isDone = try connection.checkpoint(
            step == .truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE)
        checkpoints.finished(isPinned: !isDone, now: MonotonicTime.now())
        if !isDone, log.length >= checkpoints.reportedBytes { pinned(length: log.length) }
    }

    /// Deletes uploaded rows that were received longer ago than they are to be kept, a step of one stream.
    private func expireStep(_ now: MonotonicTime) throws(StoreError) -> Bool {
        guard now >= nextRetention, let connection else { return false }
        let kept = Int64(min(options.retention.wholeNanoseconds / 1000, UInt64(Int64.max)))
        let cutoff = WallClock.microseconds() - kept
        let statistics = board.current
        for stream in EventStream.allCases {
            let marks = statistics[stream]
            guard marks.acknowledgedSequence > marks.deletedThrough else { continue }
            let end = min(marks.acknowledgedSequence, marks.deletedThrough + TickWriter.deletionStep)
            let through = try connection.perform { () throws(StoreError) in
                try lastExpired(stream, after: marks.deletedThrough, through: end, cutoff: cutoff)
            }
            guard through > marks.deletedThrough else { continue }
            try delete(stream, through: through, marks: marks)
            if through == end { return true }
        }
        let pause = max(.milliseconds(100), min(options.retention / 20, .seconds(30)))
        nextRetention = now.advanced(by: pause)
        return false
    }

    /// The last sequence whose row was received before the cutoff, by bisection: rows stand in the order received.
    private func lastExpired(
        _ stream: EventStream, after: Int64, through: Int64, cutoff: Int64
    ) throws(StoreError) -> Int64 {
        guard let connection else { return after }
        func isExpired(_ sequence: Int64) throws(StoreError) -> Bool {
            try connection.notes.received(stream, from: sequence).map { $0 <= cutoff } ?? true
        }
        if try isExpired(through) { return through }
        var low = after
        var high = through
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if try isExpired(middle) { low = middle } else { high = middle }
        }
        return low
    }
}

extension StoreFile {
    /// The number of the file on its file system; `nil` when there is none.
    var inode: UInt64? {
        var information = stat()
        return stat(path, &information) == 0 ? UInt64(information.st_ino) : nil
    }
}
