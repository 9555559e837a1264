import CSQLite
import GRDB
import GRDBSQLite
import MarketData

/// The one connection that writes `ticks.sqlite`, with its prepared statements. Belongs to the writer's thread.
///
/// ## Sequences
/// The writer numbers rows, continuing from the greatest of a table's last `seq`, the stream's `acknowledged` and its
/// `deleted_through`. Whatever deletes rows raises `deleted_through` in the same transaction, or adds a row with a greater
/// number as a retry does, so the greatest of the three is always the last number ever given, even if a table is empty. A
/// commit need not write a counter: an append touches only the table's pages. AUTOINCREMENT would update
/// `sqlite_sequence` each time.
final class TickConnection {
    /// What identifies a buffer file.
    struct Identity: Sendable, Equatable {
        var id: String
        var collector: String
    }

    /// What the file knows of its streams.
    struct Contents: Sendable, Equatable {
        var id = ""
        /// When the file was made, or the first one that it continues, in microseconds since the Unix epoch.
        var created: Int64?
        /// How many transactions with notes (gaps, drops, letters) the file holds.
        var notes: Int64 = 0
        var streams: [EventStream: UploadMarks] = [:]
        /// What a fresh file that continues another one takes over about its uploads.
        var line: UploadLine?
        /// Since when events may be missing in a fresh file that took the place of another, in milliseconds since the
        /// Unix epoch.
        var missedSince: Int64?

        subscript(_ stream: EventStream) -> UploadMarks { streams[stream] ?? UploadMarks() }
    }

    /// The size of a frame of the log: a page and its header.
    static let frameBytes: Int64 = 4096 + 24
    /// The size of the log's header, which precedes the frames.
    static let logHeaderBytes: Int64 = 32
    /// The numbers that rows and marks can have; others are damage, and counting could not continue from them.
    static let possibleSequences: Range<Int64> = 0..<1 << 62

    let path: String
    let inserter: TickInserter
    let notes: NoteStatements
    let queue: DatabaseQueue
    private let database: OpaquePointer
    private let begin: PreparedStatement
    private let commit: PreparedStatement
    private let pageCount: PreparedStatement
    private let freePages: PreparedStatement
    private let logFrames: UnsafeMutablePointer<Int64>
    private var movedFrames: Int64 = 0

    private init(path: String, queue: DatabaseQueue, database: OpaquePointer) throws(StoreError) {
        inserter = try TickInserter(on: database)
        notes = try NoteStatements(on: database)
        begin = try PreparedStatement("BEGIN IMMEDIATE", on: database)
        commit = try PreparedStatement("COMMIT", on: database)
        pageCount = try PreparedStatement("PRAGMA page_count", on: database)
        freePages = try PreparedStatement("PRAGMA freelist_count", on: database)
        logFrames = .allocate(capacity: 1)
        logFrames.initialize(to: 0)
        self.path = path
        self.queue = queue
        self.database = database
        // Called after each commit with the log's length in frames.
        sqlite3_wal_hook(
            database,
            { context, _, _, frames in
                context?.assumingMemoryBound(to: Int64.self).pointee = Int64(frames)
                return SQLITE_OK
            }, logFrames)
    }

    deinit {
        sqlite3_wal_hook(database, nil, nil)
        logFrames.deallocate()
    }

    /// Opens the file, and creates or migrates it; `seed` fills a fresh file.
    ///
    /// - Throws: `.schemaTooNew`, `.damaged`, and the disk's errors.
    static func open(
        _ file: StoreFile, synchronous: String, identity: Identity, seed: Contents
    ) throws(StoreError) -> TickConnection {
        try file.create()
        let queue = try StoreConnection.openWriter(file.path, synchronous: synchronous)
        return try StoreError.translating("open", path: file.path) {
            try queue.writeWithoutTransaction { database in
                guard let handle = database.sqliteConnection else {
                    throw StoreError(.closed, operation: "open", path: file.path)
                }
                // SQLite opens a file that it can't write for reading alone, and says so only when it is to be written.
                guard sqlite3_db_readonly(handle, "main") == 0 else {
                    throw StoreError(.notWritable, operation: "open", path: file.path)
                }
                try StoreConnection.turnOnWAL(database)
                if try file.kind.migrate(database) {
                    // The header's version must be in the file itself, where any tool finds it.
                    _ = try database.checkpoint(.truncate)
                    file.syncDirectory()
                }
                try initialize(database, identity: identity, seed: seed)
                return try TickConnection(path: file.path, queue: queue, database: handle)
            }
        }
    }

    /// Releases all statements and closes; the variable must hold the only reference.
    static func close(_ connection: inout TickConnection?) throws(StoreError) {
        guard let queue = connection?.queue else { return }
        let path = connection?.path
        connection = nil
        try StoreError.translating("close", path: path) { try queue.close() }
    }

    /// Makes closing leave the log as it is, neither moved into the file nor removed: the files' names no longer lead
    /// to what this connection opened.
    func leaveFiles() throws(StoreError) {
        try perform { () throws(StoreError) in _ = edgetick_sqlite3_leave_log(UnsafeMutableRawPointer(database)) }
    }

    /// Reads in one snapshot.
    func read<Result>(_ body: (Database) throws -> Result) throws(StoreError) -> Result {
        try StoreError.translating("read", path: path) { try queue.read(body) }
    }

    /// Returns when a stream's first row from a sequence on was received, in microseconds since the Unix epoch.
    func received(_ stream: EventStream, from sequence: Int64) throws(StoreError) -> Int64? {
        try perform { () throws(StoreError) in try notes.received(stream, from: sequence) }
    }

    /// Runs `body` where the connection may be used. Cancellation doesn't reach it.
    func perform<Result>(_ body: () throws(StoreError) -> Result) throws(StoreError) -> Result {
        try StoreError.translating("use", path: path) {
            try queue.writeWithoutTransaction { _ in try body() }
        }
    }

    /// Runs `body` in a transaction that is durable on return if commits are synced; rolls it back if anything fails.
    ///
    /// - Parameter mustSync: Whether the disk must have it on return although commits usually aren't synced. The sync
    ///   covers the whole log, and so all earlier transactions.
    func transaction<Result>(
        mustSync: Bool = false, _ body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        if mustSync { try setSynchronous(.full) }
        // If this fails, later commits are only slower.
        defer { if mustSync { try? setSynchronous(.normal) } }
        return try perform { () throws(StoreError) in
            try begin.run()
            do throws(StoreError) {
                let result = try body()
                try commit.run()
                return result
            } catch {
                if sqlite3_get_autocommit(database) == 0 { sqlite3_exec(database, "ROLLBACK", nil, nil, nil) }
                throw error
            }
        }
    }

    /// Changes the file at a start, if it can: a full disk must not keep a collector from starting.
    ///
    /// - Returns: What `body` returned; `nil` if nothing was changed.
    /// - Throws: `.damaged`.
    func changeIfPossible<Result>(_ body: (Database) throws -> Result) throws(StoreError) -> Result? {
        do throws(StoreError) {
            return try StoreError.translating("use", path: path) {
                var result: Result?
                try queue.inTransaction(.immediate) { database in
                    result = try body(database)
                    return .commit
                }
                return result
            }
        } catch {
            guard error.reason != .damaged else { throw error }
            return nil
        }
    }

    private func setSynchronous(_ synchronous: TickBuffer.Synchronous) throws(StoreError) {
        try StoreError.translating("use", path: path) {
            try queue.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA synchronous = \(synchronous.rawValue)")
            }
        }
    }

    /// The log's frames that are not in the file yet, and all of them, in bytes.
    var logBytes: (unmoved: Int64, length: Int64) {
        let frames = logFrames.pointee
        let moved = movedFrames <= frames ? movedFrames : 0
        return ((frames - moved) * TickConnection.frameBytes, frames * TickConnection.frameBytes)
    }

    /// Moves the log into the file, as far as readers let it.
    ///
    /// - Returns: Whether everything was moved.
    func checkpoint(_ mode: Int32) throws(StoreError) -> Bool {
        try perform { () throws(StoreError) in
            // With a timeout, a reader's snapshot would hold up the writer.
            sqlite3_busy_timeout(database, 0)
            defer { sqlite3_busy_timeout(database, 1000) }
            var frames: Int32 = 0
            var moved: Int32 = 0
            let code = sqlite3_wal_checkpoint_v2(database, nil, mode, &frames, &moved)
            guard code == SQLITE_OK || code == SQLITE_BUSY else {
                throw StoreError(code: code, on: database, operation: "checkpoint")
            }
            logFrames.pointee = Int64(max(0, frames))
            movedFrames = Int64(max(0, moved))
            return code == SQLITE_OK && frames == moved
        }
    }

    /// The part of the file in use, and its free pages, in bytes.
    func usage() throws(StoreError) -> (used: Int64, free: Int64) {
        try perform { () throws(StoreError) in
            let pages = try pageCount.number() ?? 0
            let free = try freePages.number() ?? 0
            return ((pages - free) * 4096, free * 4096)
        }
    }

    /// Reads what a file knows of its streams, over any connection.
    static func contents(_ database: Database) throws -> Contents {
        var contents = Contents()
        guard let row = try Row.fetchOne(database, sql: "SELECT id, notes_seq, created_us FROM buffer") else {
            throw StoreError(.damaged, operation: "read", underlying: "the table buffer is empty")
        }
        contents.id = try Cells(row).required("id")
        contents.created = Cells(row)["created_us"]
        let notes: Int64 = try Cells(row).required("notes_seq")
        contents.notes = possibleSequences.contains(notes) ? notes : 0
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        let sentAgain = version >= 10 ? "sent_again_through" : "0 AS sent_again_through"
        let gone = version >= 11 ? "gone_through" : "0 AS gone_through"
        let marks = "acknowledged, deleted_through, \(sentAgain), \(gone)"
        for row in try Row.fetchAll(database, sql: "SELECT stream, \(marks) FROM streams").map(Cells.init) {
            guard let stream = EventStream(rawValue: try row.required("stream")) else { continue }
            contents.streams[stream] = UploadMarks(
                acknowledged: try row.required("acknowledged"), deleted: try row.required("deleted_through"),
                sentAgain: try row.required("sent_again_through"), gone: try row.required("gone_through"))
        }
        for stream in EventStream.inFile(ofVersion: version) {
            let greatest = try Int64.fetchOne(database, sql: "SELECT max(seq) FROM \(stream.rawValue)") ?? 0
            let numbers = [greatest, contents[stream].acknowledged, contents[stream].deleted]
            guard numbers.allSatisfy(possibleSequences.contains) else { throw neverGiven(stream) }
            contents.streams[stream, default: UploadMarks()].last = numbers.max() ?? 0
        }
        return contents
    }

    static func neverGiven(_ stream: EventStream) -> StoreError {
        StoreError(
            .damaged, operation: "read", underlying: "\(stream.rawValue) has a row number or mark that is out of range")
    }

    /// SQL that counts the gaps that are over and not filled yet.
    static let openGaps = "SELECT count(*) FROM gaps WHERE state = '\(GapState.open.rawValue)' AND to_ms IS NOT NULL"

    /// SQL for when the backfill last gave up a gap or a part of one, in microseconds since the Unix epoch. Gaps of
    /// kinds that are never fetched have no such time, and an impossible one was written by another program.
    static let lastGivenUpGap = """
        SELECT max(settled_us) FROM gaps WHERE state IN (\(GapState.givenUp.map(\.rawValue).sqlList))
        AND settled_us BETWEEN 0 AND \(UnixTime.possible.upperBound)999
        """

    /// SQL that counts the dead letters of each stream.
    static let letters = "SELECT stream, count(*) AS letters FROM dead_letters GROUP BY stream"

    /// Reads the sums that statistics begin with.
    static func totals(_ database: Database) throws -> BufferStatistics {
        var statistics = BufferStatistics()
        statistics.gaps = try Int64.fetchOne(database, sql: "SELECT count(*) FROM gaps") ?? 0
        statistics.recordedGaps = statistics.gaps
        statistics.openGaps = try Int64.fetchOne(database, sql: openGaps) ?? 0
        statistics.lastGivenUpGap = try Int64.fetchOne(database, sql: lastGivenUpGap).map { $0 / 1000 }
        for row in try Row.fetchAll(database, sql: letters).map(Cells.init) {
            guard let stream = (row["stream"] as String?).flatMap({ EventStream(rawValue: $0) }) else { continue }
            statistics[stream].deadLetters = row["letters"] ?? 0
        }
        statistics.drops = try Int64.fetchOne(database, sql: "SELECT \(DropTally.sum) FROM drops") ?? 0
        return statistics
    }

    private static func initialize(_ database: Database, identity: Identity, seed: Contents) throws {
        guard try Int.fetchOne(database, sql: "SELECT count(*) FROM buffer") == 0 else { return }
        try database.inTransaction(.immediate) {
            try database.execute(
                sql: "INSERT INTO buffer (id, collector, created_us, notes_seq, alive_us) VALUES (?, ?, ?, ?, ?)",
                arguments: [
                    identity.id, identity.collector, seed.created ?? WallClock.microseconds(), seed.notes,
                    seed.missedSince.map { $0 * 1000 },
                ])
            for stream in EventStream.allCases {
                try database.execute(
                    sql: "UPDATE streams SET acknowledged = ?, deleted_through = ? WHERE stream = ?",
                    arguments: [seed[stream].acknowledged, seed[stream].last, stream.rawValue])
            }
            if let line = seed.line { try store(line, database) }
            return .commit
        }
    }
}
