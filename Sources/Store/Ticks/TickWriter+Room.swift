import GRDBSQLite
import Logging
import MarketData

/// Making room: the file's limit, the disk's, and what has to go.
extension TickWriter {
    /// How many rows one transaction deletes: a few milliseconds.
    static let deletionStep: Int64 = 5000

    /// Makes `work` fit under the limit: uploaded rows go first, then whatever the policy says.
    func makeRoom(for work: inout HandOver.Work) throws(StoreError) {
        guard let connection else { return }
        var used = try connection.usage().used
        let wanted = options.maximumBytes - Int64(work.bytes)
        if used > wanted {
            // A little more than needed, so that not every commit has to make room.
            let target = wanted - min(8 << 20, options.maximumBytes / 200)
            let before = board.current
            while used > target {
                // A row takes more than 50 bytes, so this never deletes more than twice what is needed.
                let rows = min(TickWriter.deletionStep, max(50, (used - target) / 50))
                guard try deleteStep(rows) > 0 else { break }
                used = try connection.usage().used
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
        if options.fullPolicy == .rejectNew, used > wanted || room.isRefused(now: .now()) { reject(&work) }
    }

    /// Whether some rows can be deleted without a loss.
    private var hasUploadedRows: Bool {
        board.current.streams.values.contains { $0.marks.deletable > $0.marks.deleted }
    }

    /// Checks again whether the file is full, for when no events arrive to be written.
    func lookForRoom() throws(StoreError) {
        guard room.isFull, !room.isDiskTight else { return }
        var nothing = HandOver.Work()
        try makeRoom(for: &nothing)
        if !room.isFull { publishState() }
    }

    /// Counts new events as dropped and forgets them. Fetched events are not lost: whoever fetched them learns that
    /// there was no room.
    private func reject(_ work: inout HandOver.Work) {
        let lost = work.batches.filter { $0.source == .stream }
        for batch in lost { carried.drops.add(batch, .newRejected) }
        let count = lost.reduce(0) { $0 + $1.count }
        board.update { $0.noRoom += Int64(count) }
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
    func freeRoomOnFullDisk(work: inout HandOver.Work) {
        attempt = nil
        reserve.release()
        do {
            guard let connection else { return }
            _ = try connection.checkpoint(SQLITE_CHECKPOINT_PASSIVE)
            let needed = Int64(work.bytes) * 2 + (256 << 10)
            while try connection.usage().free < needed {
                guard try deleteStep(TickWriter.deletionStep) > 0 else { break }
            }
            _ = try connection.checkpoint(SQLITE_CHECKPOINT_PASSIVE)
            guard options.fullPolicy == .rejectNew, try connection.usage().free < needed else { return }
            room.refused(now: .now())
            reject(&work)
        } catch {
            publishFailure(error)
            if options.fullPolicy == .rejectNew {
                room.refused(now: .now())
                reject(&work)
            }
            if error.reason != .diskFull { closeAfterFailure() }
        }
    }

    /// Deletes some of the oldest rows, and returns how many: uploaded ones, else dead letters, else waiting ones if
    /// the policy says so. One that an upload is sending at this moment is counted as dropped and may still arrive.
    func deleteStep(_ rows: Int64) throws(StoreError) -> Int64 {
        let statistics = board.current
        if let stream = try oldest(where: { $0.deletable > $0.deleted }) {
            let marks = statistics[stream].marks
            let through = min(marks.deletable, marks.deleted + rows)
            try delete(stream, through: through, marks: marks)
            return through - marks.deleted
        }
        if statistics.deadLetters > 0 {
            let deleted = try deleteLetters(rows)
            if deleted > 0 { return deleted }
        }
        // Here too, the newest row stays.
        guard options.fullPolicy == .dropOldest, let stream = try oldest(where: { $0.pending > 1 }) else { return 0 }
        let marks = statistics[stream].marks
        let through = min(marks.last - 1, marks.settled + rows)
        try delete(stream, through: through, marks: marks, countingFrom: marks.settled)
        return through - marks.settled
    }

    /// Deletes the oldest dead letters, and returns how many.
    private func deleteLetters(_ rows: Int64) throws(StoreError) -> Int64 {
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

    /// Logs that dead letters were dropped to make room.
    func logLettersDropped(_ count: Int64) {
        guard let times = problems.occurred(.dropping, "letters", now: .now()) else { return }
        logger.error(
            "the oldest dead letters were dropped to make room",
            metadata: ["rows": "\(count)", "steps": "\(times)", "limit": "\(options.maximumLetters)"])
    }

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

    private func logDrops(_ count: Int64, stream: EventStream) {
        guard let times = problems.occurred(.dropping, "\(stream)", now: .now()) else { return }
        logger.error(
            "the buffer is full and drops its oldest rows that wait for upload",
            metadata: [
                "stream": "\(stream.rawValue)", "rows": "\(count)", "steps": "\(times)", "path": "\(file.path)",
                "limit": "\(options.maximumBytes)",
            ])
    }

    /// Returns the stream, among those that qualify, whose first row was received first.
    private func oldest(where qualifies: (UploadMarks) -> Bool) throws(StoreError) -> EventStream? {
        guard let connection else { return nil }
        let statistics = board.current
        var found: (stream: EventStream, received: Int64)?
        for stream in EventStream.allCases where qualifies(statistics[stream].marks) {
            let received = try connection.received(stream, from: statistics[stream].marks.deleted + 1) ?? 0
            if found.map({ received < $0.received }) ?? true { found = (stream, received) }
        }
        return found?.stream
    }
}
