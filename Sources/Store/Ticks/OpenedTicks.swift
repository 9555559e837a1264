import FoundationEssentials
import GRDB
import Logging
import MarketData

/// The buffer's file and what its opening found.
struct OpenedTicks {
    let connection: TickConnection
    let identity: TickConnection.Identity
    let contents: TickConnection.Contents
    /// See ``TickConnection/totals(_:)``.
    let totals: BufferStatistics
    /// How far the file, or the bad file that it replaced, got before; `nil` if that is not known.
    let previousLife: PreviousLife?
    /// See ``TickConnection/greatestReceipt()``.
    let greatestReceipt: Int64
    /// What the file knows of its uploads.
    let line: UploadLine
    /// What happened to the file before, if the disk had no room to store it.
    let carried: CarriedLosses

    /// Opens the file, whose `lock` is held; a collector sets a bad file aside first.
    static func open(
        _ file: StoreFile, lock: FileLock, options: TickBuffer.Options, logger: Logger
    ) throws(StoreError) -> OpenedTicks {
        try file.undoReplacement()
        var carried = CarriedLosses()
        var lost: LostFile?
        func newIdentity() -> TickConnection.Identity {
            TickConnection.Identity(id: UUID().uuidString.lowercased(), collector: options.collector)
        }
        var identity = newIdentity()
        // If the collector was killed, this is when it took the lock: what it collected since may be gone with the
        // file. Without a previous holder of the lock, as for a restored backup, only the file's date is known.
        let lastUsed = lock.lastHeld.map { $0 * 1000 } ?? file.lastWritten
        func putAway(_ why: String) throws(StoreError) {
            guard options.isCollecting else { throw file.unusable(why, to: "open") }
            let now = WallClock.microseconds()
            let used = lock.lastHeld == nil && why == StoreFile.foreign ? nil : lastUsed
            let found = LostFile(file.path, lastUsed: used, now: now / 1000)
            let name = file.freeName(now: now / 1_000_000)
            carried.drops.add(found.drops)
            carried.gaps += found.gaps.gaps
            carried.incidents += found.incidents
            carried.incidents.append(Incident(Incident.setAsideAtStart, detail: "\(name): \(why); \(found.text)"))
            // The bad file may have been given the other identity before it was found to be bad.
            identity = newIdentity()
            try replace(file, by: identity, found.seed(for: identity.id), &carried, options, now: now)
            lost = found
            logger.error(
                "the buffer's file was damaged or belongs to another program and was set aside; a new one is started; to recover the rows of a damaged file, run edgetick repair --file",
                metadata: [
                    "path": "\(file.path)", "set_aside": "\(name)", "reason": "\(why)", "held": "\(found.text)",
                ])
        }
        let condition = try file.inspect()
        if case .bad(let why) = condition { try putAway(why) }
        // Until the log is first moved into the file, the file has only a header, or tables without rows.
        if lost == nil, let bytes = FilePlaces.Entry(file.path)?.bytes,
            condition == .fresh || TickConnection.isUnused(file.path)
        {
            let found = LostFile(lastUsed: lastUsed, now: WallClock.milliseconds())
            lost = found
            let what = bytes == 0 ? "no bytes" : "no rows, so that its log must be gone"
            carried.incidents.append(
                Incident(Incident.foundEmpty, detail: "\(file.path) had \(what); \(found.text)"))
            logger.error(
                "the buffer's file was emptied, or lost its log, while no collector ran; what waited for upload in it is gone, and so are its gaps",
                metadata: ["path": "\(file.path)", "held": "\(found.text)"])
        }
        var attempt = 0
        while true {
            do throws(StoreError) {
                // The next collector must know since when events are missing, even if this process ends immediately.
                let connection = try TickConnection.open(
                    file, synchronous: options.synchronous.rawValue, identity: identity,
                    seed: lost?.seed(for: identity.id) ?? TickConnection.Contents())
                var contents = try connection.read(TickConnection.contents)
                try connection.checkPending(contents)
                let isFresh = contents.id == identity.id
                // Everything needed at the start is read before the first write: a bad file stays as it is.
                let greatestReceipt = try connection.greatestReceipt()
                _ = (try connection.read(TickConnection.totals), try connection.read(TickConnection.line))
                if !isFresh { contents = try connection.renamed(contents, to: identity.id) }
                let life = isFresh ? lost?.life : try connection.endPreviousLife(now: WallClock.microseconds() / 1000)
                try connection.note(&carried)
                return OpenedTicks(
                    connection: connection,
                    identity: TickConnection.Identity(id: contents.id, collector: options.collector),
                    contents: contents, totals: try connection.read(TickConnection.totals), previousLife: life,
                    greatestReceipt: greatestReceipt, line: try connection.read(TickConnection.line),
                    carried: carried)
            } catch {
                // Damage may hide behind a sound header, in any page that the start reads.
                guard error.reason == .damaged, attempt == 0 else { throw error }
                attempt += 1
                try putAway(error.underlying ?? "damaged")
            }
        }
    }

    /// Sets a bad file aside and replaces it with one that takes over what has to be remembered. The bad file keeps its
    /// place until the other one is complete, so that a crash forgets nothing.
    static func replace(
        _ file: StoreFile, by identity: TickConnection.Identity, _ seed: TickConnection.Contents,
        _ carried: inout CarriedLosses, _ options: TickBuffer.Options, now: Int64
    ) throws(StoreError) {
        let draft = file.draft("starting")
        defer { draft.remove() }
        var connection: TickConnection? = try TickConnection.open(
            draft, synchronous: options.synchronous.rawValue, identity: identity, seed: seed)
        try connection?.note(&carried)
        try TickConnection.close(&connection)
        _ = try file.replace(with: draft.path, now: now / 1_000_000)
    }
}

extension TickConnection {
    /// Whether a file has tables, but not the row that comes into it when it is first opened.
    fileprivate static func isUnused(_ path: String) -> Bool {
        let count = try? StoreConnection.reading(path) { reader in
            try reader.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM buffer") }
        }
        return count == 0
    }

    /// Stores what happened to the file before, immediately: nothing else may be written for a long time.
    fileprivate func note(_ carried: inout CarriedLosses) throws(StoreError) {
        guard !carried.isEmpty else { return }
        let now = WallClock.microseconds()
        let losses = carried
        do throws(StoreError) {
            try transaction { () throws(StoreError) in _ = try notes.add(losses, episode: now, now: now) }
            carried.areStored()
        } catch {
            // A full disk must not keep a collector from starting; it is written when there is room.
            guard error.reason != .damaged else { throw error }
        }
    }

    /// Reads the first row of each stream that waits for upload, as the writer does as soon as it starts.
    fileprivate func checkPending(_ contents: Contents) throws(StoreError) {
        for stream in EventStream.allCases {
            let marks = contents[stream]
            if marks.settled < marks.last { _ = try received(stream, from: marks.settled + 1) }
        }
    }
}
