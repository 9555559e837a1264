import GRDBSQLite
import Logging
import MarketData

/// What happens when a write fails.
///
/// After a failed write or sync nobody knows what is on the disk (fsync(2) reports an error once and may drop the
/// pages). So the connection is closed, the file is opened again, and everything in its log is moved and synced. Only
/// then does the writer check whether the batch is there; if not, it writes it again from memory, under the same
/// numbers.
extension TickWriter {
    /// Does what the failure requires before the next attempt, and waits; returns whether to make one.
    func triesAgain(after error: StoreError, work: inout HandOver.Work) -> Bool {
        switch error.reason {
        case .busy, .pinned:
            // Nothing was written; without a connection an earlier attempt's outcome is still open.
            if connection != nil { attempt = nil }
        case .diskFull:
            room.diskIsFull()
            if connection != nil { freeRoomOnFullDisk(work: &work) } else { reserve.release() }
        case .damaged:
            closeAfterFailure()
            setAside(because: error)
        case .statement:
            attempt = nil
            closeAfterFailure()
        default:
            closeAfterFailure()
        }
        // A damaged file that a command leaves as it is gets no better.
        if let end = handOver.closesAt, board.damage != nil || MonotonicTime.now() >= end { return false }
        handOver.pause(error.reason == .pinned ? checkpoints.pause : backoff.failed())
        return true
    }

    /// Reports that writing fails: in the statistics, and in the log immediately and then every half minute.
    func publishFailure(_ error: StoreError) {
        if error.reason == .diskFull { lookAtDisk() }
        showDrops { $0.state = error.reason == .diskFull ? .diskFull : .failing(message: error.description) }
        guard let count = problems.occurred(.writing, "\(error.reason)", now: .now()) else { return }
        logger.error(
            "the buffer can't be written; events wait in memory and the write is tried again",
            metadata: ["error": "\(error)", "failures": "\(count)"])
    }

    /// Notes that a write succeeded.
    func recovered() {
        backoff.succeeded()
        if problems.ended(.writing) {
            logger.notice("writing to the buffer works again", metadata: ["path": "\(file.path)"])
        }
        publishState()
    }

    /// Shows the state that follows from what is known.
    func publishState() {
        let length = connection?.logBytes.length ?? 0
        let pinned = isPinned ? pinnedError(length: length).description : nil
        board.update { statistics in
            statistics.pinnedLog = pinned
            statistics.state = room.state
            if let pinned, length >= checkpoints.maximumBytes { statistics.state = .failing(message: pinned) }
        }
    }

    /// Reports that a reader's snapshot makes the log grow; at its limit, nothing more is written.
    func pinned(length: Int64) {
        isPinned = true
        let error = pinnedError(length: length)
        board.update { statistics in
            statistics.pinnedLog = error.description
            if length >= checkpoints.maximumBytes { statistics.state = .failing(message: error.description) }
        }
        guard let count = problems.occurred(.pinned, "\(error.reason)", now: .now()) else { return }
        logger.error(
            "a reader keeps the buffer's log from being emptied", metadata: ["error": "\(error)", "tries": "\(count)"])
    }

    /// Notes that the log can be emptied again.
    func unpinned() {
        guard isPinned else { return }
        isPinned = false
        if problems.ended(.pinned) {
            logger.notice("the buffer's write-ahead log can be emptied again", metadata: ["path": "\(file.path)"])
        }
        publishState()
    }

    /// Returns the error for a log that a reader keeps from being emptied.
    func pinnedError(length: Int64) -> StoreError {
        StoreError(
            .pinned, operation: "empty the write-ahead log of", path: file.path,
            underlying: "it is \(length >> 20) MiB long; writing stops at \(checkpoints.maximumBytes >> 20) MiB")
    }

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
            let waiting = waitingRows(.vanished)
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
            statistics.drops = totals.drops
            statistics.gaps = totals.gaps
            statistics.openGaps = totals.openGaps
            statistics.lastGivenUpGap = totals.lastGivenUpGap
            statistics.letters = totals.letters
        }
        connection = opened
        places = FilePlaces(file)
        board.fileChanged()
        guard isThere, attempt?.isUpkeep == true else { return isThere }
        publish(HandOver.Work(), took: .zero, isCounted: true)
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
        var missing = DropTally()
        var found: Int64 = 0
        board.update { statistics in
            for stream in EventStream.allCases {
                let (marks, inFile) = (statistics[stream].marks, contents[stream])
                let next = max(inFile.last, marks.settled) + 1
                if next <= marks.last {
                    missing.addUnknown(stream, .vanished, sequences: next...marks.last)
                } else if !isThere, inFile.last > marks.last {
                    found += inFile.last - marks.last
                    statistics[stream].marks.last = inFile.last
                }
                statistics[stream].marks.deleted = max(marks.deleted, inFile.deleted)
            }
        }
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
    func agree(with ledger: [EventStream: Int64]) {
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
            for span in lost { carried.drops.addUnknown(stream, .upstreamLost, sequences: span) }
            let detail =
                "\(stream.rawValue): upstream now has only the rows through \(uploaded), but had confirmed those "
                + "through \(marks.acknowledged)"
            carried.incidents.append(Incident("upstream went back", detail: detail))
            logger.error(
                "the database lost rows that it had confirmed; those that are still in the buffer are sent again",
                metadata: [
                    "stream": "\(stream.rawValue)", "upstream": "\(uploaded)",
                    "confirmed": "\(marks.acknowledged)", "sent_again": "\(marks.acknowledged - gone)",
                    "lost": "\(lost.reduce(0) { $0 + $1.count })",
                ])
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

    private func waitingRows(_ reason: DropReason) -> DropTally {
        var waiting = DropTally()
        let statistics = board.current
        for stream in EventStream.allCases where statistics[stream].pending > 0 {
            let marks = statistics[stream].marks
            waiting.addUnknown(stream, reason, sequences: marks.settled + 1...marks.last)
        }
        return waiting
    }

    /// Notes that no row is in the file any more; those in `waiting` are counted.
    private func forgetRows(_ waiting: DropTally, _ reason: DropReason) {
        board.update { statistics in
            for stream in EventStream.allCases {
                statistics[stream].marks.deleted = statistics[stream].marks.last
                statistics[stream].oldestPendingMilliseconds = nil
            }
        }
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
        let waiting = waitingRows(.fileSetAside)
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
}
