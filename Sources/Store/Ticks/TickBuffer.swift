import Glibc
public import Logging
public import MarketData
import Synchronization

/// The durable queue between feed and upload: append at the tail, read from the head, forget on acknowledgement.
///
/// `ticks.sqlite` in the data directory, in write-ahead-log mode, may be read by any SQLite program while a collector
/// writes it. A row leaves the head only after ``acknowledge(_:through:)``, so a crash sends a batch again and never
/// loses one. What has to go before, because the disk or the limit is reached, is counted in the table `drops`.
public final class TickBuffer: EventSink, Sendable {
    /// When a commit counts as durable.
    public enum Synchronous: String, Sendable, Hashable, CaseIterable {
        /// When the disk has synced it.
        case full
        /// When the system has it: a power cut may take the last seconds, and leaves the file consistent.
        case normal
    }

    /// Who goes when the limit is reached and nothing uploaded is left to delete.
    public enum FullPolicy: String, Sendable, Hashable, CaseIterable {
        /// The oldest rows.
        case dropOldest = "drop-oldest"
        /// The new events.
        case rejectNew = "reject-new"
    }

    /// How a buffer works.
    public struct Options: Sendable {
        /// The collector's name, kept in the file.
        public var collector: String
        /// The longest time from an event's arrival to its commit.
        public var commitInterval: CommitInterval
        /// When a commit counts as durable.
        var synchronous: Synchronous
        /// The limit of the file's used part, in bytes.
        public var maximumBytes: Int64
        /// Who goes when the limit is reached.
        public var fullPolicy: FullPolicy
        /// How many dead letters the file keeps; the oldest go first, and before any row that waits.
        public var maximumLetters: Int64 = 100_000
        /// How long uploaded rows stay for local queries, from when they were received.
        public var retention: Duration
        /// The limit of what waits in memory, in bytes; from half of it on, sockets are asked to pause.
        public var queueBytes: Int
        /// The write-ahead log's limit in bytes, for when a reader's open snapshot keeps it from being emptied: past a
        /// quarter at most 64 MiB it is reported, at the limit nothing more is written until the reader is gone.
        public var maximumLogBytes: Int64 = 256 << 20

        /// Whether events are collected: then the file is told from time to time that a collector is alive.
        public var isCollecting = true

        /// Makes options; see the properties for meaning and units.
        public init(
            collector: String, commitInterval: CommitInterval = .fixed(.milliseconds(50)),
            synchronous: Synchronous = .full,
            maximumBytes: Int64 = 8 << 30, fullPolicy: FullPolicy = .dropOldest, retention: Duration = .seconds(86_400),
            queueBytes: Int = 32 << 20
        ) {
            self.collector = collector
            self.commitInterval = commitInterval
            self.synchronous = synchronous
            self.maximumBytes = maximumBytes
            self.fullPolicy = fullPolicy
            self.retention = retention
            self.queueBytes = queueBytes
        }
    }

    /// The file's name in the data directory.
    public static let fileName = "ticks.sqlite"

    /// The file's own identifier, by which the upload's ledger knows it.
    ///
    /// Stays the same for the life of this object, also when a damaged file had to be replaced meanwhile: the
    /// sequences go on. The next open has another one. A fresh file at the start counts from 1.
    public let id: String

    /// How far the file came before this collector; `nil` for a fresh file.
    ///
    /// What came since was missed: the collector was down.
    public let previousLife: PreviousLife?

    private let handOver: HandOver
    private let board: Board
    private let reader: TickReader
    /// For those who read beside the upload, over a connection and a queue of its own.
    private let visitors: TickReader
    /// Whether dead letters may be of rows whose upload did not come to its end.
    private let mayHaveUnsettledLetters = Atomic(true)
    private let file: StoreFile

    private init(
        id: String, previousLife: PreviousLife?, handOver: HandOver, board: Board, reader: TickReader,
        visitors: TickReader, file: StoreFile
    ) {
        self.id = id
        self.previousLife = previousLife
        self.handOver = handOver
        self.board = board
        self.reader = reader
        self.visitors = visitors
        self.file = file
    }

    deinit {
        handOver.close(patience: .seconds(5))
    }

    /// Opens the buffer in a data directory and starts its writer.
    ///
    /// Makes the directory (0700) and the file (0600) where they are missing, brings an older schema up to date, and
    /// renames a file that is damaged or belongs to another program before starting a fresh one: see
    /// ``BufferStatistics/setAside``. After a crash, SQLite's recovery runs here without help. Blocks on the disk.
    ///
    /// - Throws: `.inUse` with the process that holds the buffer; `.schemaTooNew`, with the file unchanged;
    ///   `.notWritable`, `.diskFull`, `.inputOutput`.
    public static func open(
        directory: String, options: Options, logger: Logger
    ) throws(StoreError) -> TickBuffer {
        guard options.queueBytes > 0, options.maximumBytes > 0, options.maximumLogBytes > 0 else {
            throw StoreError(.invalid, operation: "open the buffer", underlying: "limits must be greater than 0")
        }
        try StoreFile.makeDirectory(directory)
        let file = StoreFile(path: "\(directory)/\(fileName)", schema: .ticks)
        let lock = try FileLock.acquire(file.path + ".lock", locksDirectory: true)
        let opened = try OpenedTicks.open(file, lock: lock, options: options, logger: logger)
        let board = Board()
        let totals = opened.totals
        board.updateLine { $0 = opened.line }
        board.update { statistics in
            statistics.setAside = file.filesSetAside()
            statistics.gaps = totals.gaps
            statistics.drops = totals.drops
            statistics.deadLetters = totals.deadLetters
            for stream in EventStream.allCases {
                statistics[stream].lastSequence = opened.contents.last[stream]
                statistics[stream].acknowledgedSequence = opened.contents.acknowledged[stream]
                statistics[stream].deletedThrough = opened.contents.deletedThrough[stream]
            }
        }
        for stream in EventStream.allCases { board.handOut(stream, through: opened.contents.last[stream]) }
        let handOver = HandOver(limit: options.queueBytes, interval: options.commitInterval)
        let reader = TickReader(
            file: file, board: board, handOver: handOver, commitsAreDurable: options.synchronous == .full)
        let visitors = TickReader(file: file, board: board, handOver: handOver, commitsAreDurable: true)
        let buffer = TickBuffer(
            id: opened.identity.id, previousLife: opened.previousLife, handOver: handOver, board: board, reader: reader,
            visitors: visitors, file: file)
        let writer = TickWriter(
            file: file, lock: lock, options: options, opened: opened, handOver: handOver, board: board, logger: logger)
        try writer.findOldestPending(again: true)
        try WriterThread.start(writer)
        return buffer
    }

    /// Takes a batch into the queue without blocking.
    public func offer(_ batch: EventBatch) -> Admission {
        handOver.offer(batch)
    }

    /// Takes a batch that its owner can bring again, and waits until there is room: collecting goes first. Cancellation
    /// doesn't end the wait. Whether the file had room for it shows after ``flush()``, by ``turnedAway``.
    ///
    /// - Throws: `.closed`, and what keeps the buffer from being written; nothing is taken or counted as lost then.
    public func take(_ batch: EventBatch) async throws(StoreError) {
        await withCheckedContinuation { continuation in whenRoom { continuation.resume() } }
        // What is collected may take the room first.
        while handOver.offer(batch, countsRefusal: false) == .refused {
            try await handOver.flush()
            guard handOver.closesAt == nil else { throw StoreError(.closed, operation: "append to", path: file.path) }
        }
    }

    /// How many batches that were taken so found no room in the file.
    public var turnedAway: Int { handOver.turnedAway }

    /// Calls `resume` once, on any thread, when the queue is less than half full; at once when it is now.
    public func whenRoom(_ resume: @escaping @Sendable () -> Void) {
        handOver.whenRoom(resume)
    }

    /// Has `ring` called after each commit that changed gaps, drops or dead letters, on the writer's thread: it must not
    /// block.
    public func onNotes(_ ring: @escaping @Sendable () -> Void) {
        board.onNotes(ring)
    }

    /// Keeps a gap with the next commit; does not block.
    public func record(_ gap: Gap) {
        handOver.record(GapChange(gaps: [gap]))
    }

    /// Keeps with the next commit which gaps began and which are over; does not block.
    public func record(_ change: GapChange) {
        handOver.record(change)
    }

    /// Keeps what happened with the next commit; does not block.
    public func record(_ incident: Incident) {
        handOver.record(incident)
    }

    /// Waits until everything offered before the call is durable. Cancellation doesn't end the wait.
    ///
    /// - Throws: What made an attempt to write fail. The events stay queued and are tried again.
    public func flush() async throws(StoreError) {
        try await handOver.flush()
    }

    /// The data directory that the file is in.
    public var directory: String { file.directory }

    /// Marks the place behind everything offered so far; does not block.
    ///
    /// - Parameter reached: Told, on the writer's thread, each stream's last sequence before the mark, once all up to it
    ///   is durable and before anything offered later is written; `nil` when the buffer was closed before.
    public func mark(_ reached: @escaping @Sendable (StreamSequences?) -> Void) {
        handOver.mark { [board] error in
            guard error == nil else { return reached(nil) }
            let statistics = board.current
            var sequences = StreamSequences()
            for stream in EventStream.allCases { sequences[stream] = statistics[stream].lastSequence }
            reached(sequences)
        }
    }

    /// Where a stream's rows of a time begin: the row before them, and from when the file holds what was collected.
    public struct Beginning: Sendable, Equatable {
        /// The last row before; 0 when there is none.
        public var after: Int64
        /// The time of the first event that the file holds, a bar's start, in milliseconds since the Unix epoch; where rows
        /// were deleted, not before the first one's receipt, since it may be an older event that was brought later. `nil`
        /// when it holds none.
        public var heldSince: Int64?
    }

    /// Finds a stream's first row that was received at a moment or later, in microseconds since the Unix epoch, by a
    /// few rows on the way: rows are in the order of their receipt.
    ///
    /// - Throws: `.damaged`, `.inputOutput`, `.closed`.
    public func beginning(
        of stream: EventStream, receivedFrom microseconds: Int64
    ) async throws(StoreError) -> Beginning {
        guard handOver.closesAt == nil else { throw StoreError(.closed, operation: "read", path: file.path) }
        return try await visitors.beginning(of: stream, receivedFrom: microseconds)
    }

    /// Rows after one sequence and through another, at most `limit`, beside the upload and without holding it up.
    ///
    /// - Returns: The rows, and the sequence up to which all is read.
    /// - Throws: `.damaged`, `.inputOutput`, `.closed`.
    public func read(
        _ stream: EventStream, after: Int64, through: Int64, limit: Int
    ) async throws(StoreError) -> (batch: BufferedBatch, end: Int64) {
        guard handOver.closesAt == nil else { throw StoreError(.closed, operation: "read", path: file.path) }
        return try await visitors.run(of: stream, after: after, through: through, limit: limit)
    }

    /// The gaps in some of the states, as ``GapLog/read(directory:states:limit:)`` returns them.
    ///
    /// - Throws: `.damaged` after their table turned out to be unreadable (the file is then set aside), `.inputOutput`.
    public func gaps(
        states: Set<GapState> = Set(GapState.allCases), limit: Int
    ) async throws(StoreError) -> [GapRecord] {
        guard handOver.closesAt == nil else { throw StoreError(.closed, operation: "read", path: file.path) }
        return try await visitors.gaps(states: states, limit: limit)
    }

    /// The buffer at this moment, from memory alone.
    public var statistics: BufferStatistics {
        var statistics = board.current
        let load = handOver.load
        statistics.queuedEvents = load.events
        statistics.queuedBytes = load.bytes
        statistics.drops += load.drops
        statistics.refusedBatches = load.refusedBatches
        return statistics
    }

    /// The first rows of a stream that wait for upload, at most `limit`; `nil` when none waits.
    ///
    /// The same rows come again until ``acknowledge(_:through:)`` is called for them.
    ///
    /// - Parameter sequence: the rows after it, to read ahead while a batch is under way.
    /// - Throws: `.damaged` after the file turned out to be unreadable (it is then set aside), `.inputOutput`.
    public func nextBatch(
        of stream: EventStream, after sequence: Int64? = nil, limit: Int
    ) async throws(StoreError) -> BufferedBatch? {
        guard handOver.closesAt == nil else { throw StoreError(.closed, operation: "read", path: file.path) }
        return try await reader.nextBatch(of: stream, after: sequence, limit: limit)
    }

    /// Notes that a stream's rows are upstream, up to a sequence; a lower one than before is ignored.
    ///
    /// Takes effect at once, and is stored with the next commit. A crash before that is harmless: the upload's ledger
    /// upstream says the same at the next start.
    ///
    /// - Throws: `.sequenceAhead` when the sequence is of rows that this file never handed out: the file is an older
    ///   copy, and rows would be taken for uploaded that are not. `.closed`.
    public func acknowledge(_ stream: EventStream, through sequence: Int64) async throws(StoreError) {
        guard handOver.closesAt == nil else { throw StoreError(.closed, operation: "acknowledge", path: file.path) }
        // Rows that made room while they were on their way are no longer counted as handed out.
        let known = max(board.lastHandedOut(stream), board.current[stream].deletedThrough)
        guard sequence <= known else {
            throw StoreError(
                .sequenceAhead, operation: "acknowledge rows of", path: file.path,
                underlying: "\(stream.rawValue): \(sequence) is uploaded, and the file handed out \(known) at most")
        }
        let isNew = board.update { statistics in
            guard sequence > statistics[stream].acknowledgedSequence else { return false }
            statistics[stream].acknowledgedSequence = sequence
            return true
        }
        if isNew { handOver.noteAcknowledged() }
    }

    /// Agrees with what the upload's ledger says is upstream, of the streams that it knows; durable on return.
    ///
    /// Rows that were acknowledged beyond it are not there any more and wait again; those that the file no longer has are
    /// counted in `drops`. Dead letters of rows that still wait go, because those rows are judged again: one that is then
    /// taken must leave no letter to be retried. To be called when no upload is under way.
    public func agree(withLedger uploaded: [EventStream: Int64]) async throws(StoreError) {
        let statistics = board.current
        let isBehind = uploaded.contains { $1 < statistics[$0].acknowledgedSequence }
        guard isBehind || statistics.deadLetters > 0 && mayHaveUnsettledLetters.load(ordering: .relaxed) else { return }
        try await handOver.flush { $0.agree(with: uploaded) }
        if uploaded.count == EventStream.allCases.count { mayHaveUnsettledLetters.store(false, ordering: .relaxed) }
    }

    /// What the file knows of its uploads.
    public var line: UploadLine { board.line }

    /// Writes a transaction of the upload down before its COMMIT is sent; durable on return.
    public func prepare(_ move: UploadMove) async throws(StoreError) {
        board.updateLine { $0.add(move) }
        try await handOver.flush { $0.line.moves.append(move) }
    }

    /// Forgets earlier identifiers of a stream; durable on return.
    public func forget(_ ids: [String], of stream: EventStream) async throws(StoreError) {
        guard !ids.isEmpty else { return }
        board.updateLine { $0.forget(ids, of: stream) }
        try await handOver.flush { $0.line.forgotten += ids.map { ($0, stream) } }
    }

    /// Rows that are in the file after one sequence and through another, at most `limit`, uploaded or not.
    ///
    /// - Throws: `.damaged`, `.inputOutput`, `.closed`.
    public func rows(
        of stream: EventStream, after: Int64, through: Int64, limit: Int
    ) async throws(StoreError) -> BufferedBatch {
        guard handOver.closesAt == nil else { throw StoreError(.closed, operation: "read", path: file.path) }
        return try await reader.rows(of: stream, after: after, through: through, limit: limit)
    }

    /// The rows after one sequence and through another that upstream refused: they are not there, and need not be.
    ///
    /// - Throws: `.damaged`, `.inputOutput`, `.closed`.
    public func refusedRows(
        of stream: EventStream, after: Int64, through: Int64
    ) async throws(StoreError) -> [ClosedRange<Int64>] {
        guard handOver.closesAt == nil else { throw StoreError(.closed, operation: "read", path: file.path) }
        return try await reader.refusedRows(of: stream, after: after, through: through)
    }

    /// From which row through which those are that upstream had confirmed and lost, and that the file has no more: `drops`
    /// counts them. `nil` where there are none.
    ///
    /// - Throws: `.damaged`, `.inputOutput`, `.closed`.
    public func lostRows(of stream: EventStream) async throws(StoreError) -> ClosedRange<Int64>? {
        guard handOver.closesAt == nil else { throw StoreError(.closed, operation: "read", path: file.path) }
        return try await reader.lostRows(of: stream)
    }

    /// The first row of a stream that was received at a moment or later, in microseconds since the Unix epoch. Reads rows.
    ///
    /// - Throws: `.damaged`, `.inputOutput`, `.closed`.
    public func firstRow(
        of stream: EventStream, receivedFrom microseconds: Int64
    ) async throws(StoreError) -> Int64? {
        guard handOver.closesAt == nil else { throw StoreError(.closed, operation: "read", path: file.path) }
        return try await reader.firstRow(of: stream, receivedFrom: microseconds)
    }

    /// Stores what happened to the file, such as rows that are gone upstream; durable on return.
    public func note(incident what: String, detail: String) async throws(StoreError) {
        try await handOver.flush { $0.incidents.append(Incident(what, detail: detail)) }
    }

    /// Stores rows that the database will never take; durable on return. The same row again replaces its reason.
    public func addDeadLetters(_ letters: [DeadLetter]) async throws(StoreError) {
        guard !letters.isEmpty else { return }
        mayHaveUnsettledLetters.store(true, ordering: .relaxed)
        try await handOver.flush { $0.add(letters) }
    }

    /// Puts dead letters back into the queue, under new numbers at its end; durable on return.
    ///
    /// Letter and row change places in one transaction, and the upload sends the row as any other, so that it is never
    /// lost and never sent twice. A letter whose row can't be read stays, and so does a bar of which the file holds a newer
    /// version. The oldest comes first, so that of two versions of a bar the newer one has the greater number. A row keeps
    /// the time of its receipt, by which it is recognised upstream: see ``ReceiptOrder``.
    ///
    /// - Returns: The letters that were put back, with their new numbers.
    public func requeue(
        _ letters: [DeadLetter]
    ) async throws(StoreError) -> [(letter: DeadLetter, sequence: Int64)] {
        let letters = letters.sorted { ($0.stream.rawValue, $0.sequence) < ($1.stream.rawValue, $1.sequence) }
        let numbers = Mutex<[(letter: DeadLetter, sequence: Int64)]>([])
        var newer = NewerBars(
            letters.lazy.filter { $0.stream == .bars }.compactMap { letter in
                letter.event?.batch.bars.first.map { (sequence: letter.sequence, bar: $0) }
            })
        for start in stride(from: 0, to: letters.count, by: 5000) {
            let own = numbers.withLock { Set($0.filter { $0.letter.stream == .bars }.map(\.sequence)) }
            newer = try await visitors.look(for: newer, except: own)
            let looked = newer
            let part = letters[start..<min(start + 5000, letters.count)]
            let settled = part.filter { $0.stream != .bars || !looked.found.contains($0.sequence) }.compactMap {
                letter in
                letter.event.map { event in
                    SettledLetter(letter, event, lookedThrough: looked.through) { number in
                        numbers.withLock { $0.append((letter, number)) }
                    }
                }
            }
            try await handOver.flush { $0.settled += settled }
        }
        return numbers.withLock { $0 }
    }

    /// Takes dead letters out of the file, counted in `drops`; durable on return. A letter whose row still waits counts
    /// for nothing: the row is judged again.
    public func discard(_ letters: [DeadLetter]) async throws(StoreError) {
        guard !letters.isEmpty else { return }
        var tally = DropTally()
        let marks = board.current
        for letter in letters where letter.sequence <= marks[letter.stream].acknowledgedSequence {
            let event = letter.event
            tally.add(letter.stream, event?.symbol, .discarded, time: event?.time, sequence: letter.sequence)
        }
        try await handOver.flush { [tally] notes in
            notes.settled += letters.map { SettledLetter($0, nil) }
            notes.drops.add(tally)
        }
    }

    /// Stores how far the filling of gaps has come; durable on return. Call ``flush()`` before for the bars themselves.
    public func settle(_ fills: [GapFill]) async throws(StoreError) {
        guard !fills.isEmpty else { return }
        try await handOver.flush { $0.fills += fills }
    }

    /// Stores what comparing days with the tape found; durable on return. Call ``flush()`` before for the bars themselves.
    public func record(_ days: [ReconciledDay]) async throws(StoreError) {
        guard !days.isEmpty else { return }
        try await handOver.flush { $0.reconciled += days }
    }

    /// Commits what is queued, empties the log into the file and releases the lock; later calls answer `.closed`.
    ///
    /// Takes 5 seconds at most while the disk fails; what could not be written then is counted in the log.
    public func close() async {
        await reader.close()
        await visitors.close()
        handOver.close(patience: .seconds(5))
        await handOver.ended()
        await reader.close()
        await visitors.close()
    }
}
