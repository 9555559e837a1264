public import Logging
public import MarketData
import Synchronization

/// The durable queue between feed and upload: events are appended at the tail, read from the head, and released by
/// acknowledgement.
///
/// Any SQLite program may read `ticks.sqlite`, in the data directory and in write-ahead-log mode, while a collector
/// writes it. A row leaves the head only after ``acknowledge(_:through:)``, so after a crash a batch may be sent again
/// but is never lost. Rows that have to go earlier, because the disk or the limit is full, are counted in the table
/// `drops`.
public final class TickBuffer: EventSink, UploadFile, Sendable {
    /// When a commit counts as durable.
    public enum Synchronous: String, Sendable, Hashable, CaseIterable {
        /// When the disk has synced it.
        case full
        /// When the operating system has it: a power cut may lose the last seconds, but leaves the file consistent.
        /// What an upload relies on is synced all the same: rows that are handed out, and before each COMMIT what it
        /// moves past.
        case normal
    }

    /// What is given up when the limit is reached and no uploaded row is left to delete.
    public enum FullPolicy: String, Sendable, Hashable, CaseIterable {
        /// The oldest rows.
        case dropOldest = "drop-oldest"
        /// The new events.
        case rejectNew = "reject-new"
    }

    /// The settings of a buffer.
    public struct Options: Sendable {
        /// The collector's name, kept in the file.
        public var collector: String
        /// The longest time from an event's arrival to its commit.
        public var commitInterval: CommitInterval
        /// When a commit counts as durable.
        public var synchronous = Synchronous.full
        /// The limit of the part of the file in use, in bytes.
        public var maximumBytes: Int64 = 8 << 30
        /// What is given up when the limit is reached.
        public var fullPolicy = FullPolicy.dropOldest
        /// How many dead letters the file keeps; the oldest are dropped first, before any row that waits.
        public var maximumLetters: Int64 = 100_000
        /// How long uploaded rows stay for local queries, from when they were received.
        public var retention: Duration
        /// The limit of what waits in memory, in bytes; from half of it on, connections are asked to stop reading.
        public var queueBytes = 32 << 20
        /// The write-ahead log's limit in bytes, for when a reader's open snapshot keeps it from being emptied. A log
        /// longer than half of this, or than 64 MiB if that is less, is reported; at the limit nothing more is written
        /// until the reader is gone.
        public var maximumLogBytes: Int64 = 256 << 20

        /// Whether events are collected: if so, a sign of life is written to the file from time to time, the lock file
        /// says so, uploaded rows are deleted after ``retention``, and a bad file is set aside.
        public var isCollecting = true
        /// Whether a file is made where there is none. A collector always makes one.
        public var makesFile = true

        /// Makes options; see the properties for meaning and units.
        public init(
            collector: String, commitInterval: CommitInterval = .fixed(.milliseconds(50)),
            retention: Duration = .seconds(86_400)
        ) {
            self.collector = collector
            self.commitInterval = commitInterval
            self.retention = retention
        }
    }

    /// The file's name in the data directory.
    public static let fileName = LocalFile.ticks.name

    /// The file's own identifier, by which the upload's ledger knows it.
    ///
    /// It stays the same for the life of this object, even if a damaged file has to be replaced: the sequences
    /// continue. The next open normally gets another one. A file that is created at the start counts from 1, or on
    /// from the numbers of the bad file that it replaces.
    public let id: String

    /// How far the file, or the bad file that it replaced, got before this collector; `nil` if that is not known.
    ///
    /// Whatever happened since then was missed, because no collector ran.
    public let previousLife: PreviousLife?

    /// When it was opened, in milliseconds since the Unix epoch. What is received from then on is in this file.
    public let opened = WallClock.milliseconds()

    let file: StoreFile
    let board: Board
    let handOver: HandOver
    let reader: TickReader
    /// For readers beside the upload, over a connection and a queue of its own.
    let visitors: TickReader
    /// The streams that may have dead letters whose upload was not completed, in the file or still to be written.
    private let unsettledLetters: Mutex<Set<EventStream>>

    private init(_ opened: OpenedTicks, file: StoreFile, options: Options) {
        id = opened.identity.id
        previousLife = opened.previousLife
        self.file = file
        let setAside = file.filesSetAside()
        board = Board(opened, setAside: setAside)
        board.update { $0.repairedFiles = file.repairedFiles(of: setAside) }
        handOver = HandOver(limit: options.queueBytes, interval: options.commitInterval)
        reader = TickReader(
            file: file, board: board, handOver: handOver, commitsAreDurable: options.synchronous == .full)
        visitors = TickReader(file: file, board: board, handOver: handOver, commitsAreDurable: true)
        unsettledLetters = Mutex(opened.totals.deadLetters > 0 ? Set(EventStream.allCases) : [])
    }

    deinit {
        handOver.close(patience: .seconds(5))
    }

    /// Opens the buffer in a data directory and starts its writer.
    ///
    /// Creates the directory (0700) and the file (0600) if they are missing, migrates an older schema, and renames a
    /// file that is damaged or belongs to another program before starting a fresh one: see
    /// ``BufferStatistics/setAside``. A process that collects nothing gets an error for such a file, and for a missing one if
    /// ``Options/makesFile`` is off. After a crash, SQLite's recovery runs here by itself. Blocks on the disk.
    ///
    /// - Throws: `.inUse` with the process that holds the buffer; `.schemaTooNew`, `.damaged`, `.foreign` and `.missing`,
    ///   with nothing changed; `.linked`, `.notWritable`, `.diskFull`, `.inputOutput`.
    public static func open(
        directory: String, options: Options, logger: Logger
    ) throws(StoreError) -> TickBuffer {
        guard options.queueBytes > 0, options.maximumBytes > 0, options.maximumLogBytes > 0 else {
            throw StoreError(.invalid, operation: "open the buffer", underlying: "limits must be greater than 0")
        }
        let file = StoreFile(.ticks, in: directory)
        try file.refuseLink()
        // Before the directory and the lock are made: a mistyped path must leave nothing behind.
        if !options.isCollecting { try file.check(to: "open", mayBeFresh: options.makesFile) }
        try StoreFile.makeDirectory(directory)
        let lock = try FileLock.acquire(
            file.path + ".lock", locksDirectory: true, isCollecting: options.isCollecting)
        let opened = try OpenedTicks.open(file, lock: lock, options: options, logger: logger)
        let buffer = TickBuffer(opened, file: file, options: options)
        let writer = TickWriter(
            file: file, lock: lock, options: options, opened: opened, handOver: buffer.handOver, board: buffer.board,
            logger: logger)
        try writer.file.findOldestPending(again: true)
        try WriterThread.start(writer)
        return buffer
    }

    /// Takes a batch into the queue without blocking.
    public func offer(_ batch: EventBatch) -> Admission { handOver.offer(batch) }

    /// Takes a batch that its owner can deliver again, and waits until there is room: live events come first.
    /// Cancellation doesn't end the wait. Whether the file had room for the batch shows after ``flush()``, in
    /// ``turnedAway``.
    ///
    /// - Throws: `.closed`, and whatever keeps the buffer from being written; the batch is then neither taken nor
    ///   counted as lost.
    public func take(_ batch: EventBatch) async throws(StoreError) {
        await withCheckedContinuation { continuation in whenRoom { continuation.resume() } }
        // Live events may take the room first.
        while handOver.offer(batch, countsRefusal: false) == .refused {
            try await handOver.flush()
            guard handOver.closesAt == nil else { throw StoreError(.closed, operation: "append to", path: file.path) }
        }
    }

    /// The number of batches passed to ``take(_:)`` for which the file had no room.
    public var turnedAway: Int { handOver.turnedAway }

    /// Calls `resume` once, on any thread, when the queue is less than half full; at once when it is now.
    public func whenRoom(_ resume: @escaping @Sendable () -> Void) { handOver.whenRoom(resume) }

    /// Registers `ring` to be called after each commit that changed gaps, drops or dead letters. It is called on the
    /// writer's thread and must not block.
    public func onNotes(_ ring: @escaping @Sendable () -> Void) { board.onNotes(ring) }

    /// Stores with the next commit which gaps began and which ended; does not block.
    public func record(_ change: GapChange) { handOver.record(change) }

    /// Stores an incident with the next commit; does not block.
    public func record(_ incident: Incident) { handOver.record(incident) }

    /// Waits until everything offered before the call is durable. Cancellation doesn't end the wait.
    ///
    /// - Throws: The error of a failed attempt to write. The events stay queued, and the write is tried again.
    public func flush() async throws(StoreError) { try await handOver.flush() }

    /// The damage that was found after the opening, if nothing is collected: the file then stays as it is. Final once the
    /// buffer is closed.
    public var damage: StoreError? { board.damage }

    /// The data directory that the file is in.
    public var directory: String { file.directory }

    /// Marks the position after everything offered so far; does not block.
    ///
    /// - Parameter reached: Called on the writer's thread with each stream's last sequence before the mark, once
    ///   everything up to it is durable and before anything offered later is written; with `nil` if the buffer is
    ///   closed first.
    public func mark(_ reached: @escaping @Sendable (StreamSequences?) -> Void) {
        handOver.mark { [board] error in
            reached(error == nil ? board.current.lastSequences : nil)
        }
    }

    /// The buffer's statistics at this moment, from memory alone.
    public var statistics: BufferStatistics { handOver.statistics { board.current } }

    /// How far a stream and its upload have come.
    public func marks(of stream: EventStream) -> UploadMarks { board.current[stream].marks }

    /// Records that a stream's rows are upstream, up to a sequence; one that is not greater than before is ignored.
    ///
    /// Takes effect immediately, and is stored with the next commit. A crash before that is harmless: at the next start
    /// the upload's ledger upstream says the same.
    ///
    /// - Throws: `.sequenceAhead` if this file never handed out a row with the sequence: the file is an older copy, and
    ///   rows that were not uploaded would be taken for uploaded. `.closed`.
    public func acknowledge(_ stream: EventStream, through sequence: Int64) async throws(StoreError) {
        guard sequence > marks(of: stream).acknowledged else { return }
        guard handOver.closesAt == nil else { throw StoreError(.closed, operation: "acknowledge", path: file.path) }
        // Rows that were deleted to make room during their upload no longer count as handed out.
        let known = max(board.lastHandedOut(stream), board.current[stream].marks.deleted)
        guard sequence <= known else {
            throw StoreError(
                .sequenceAhead, operation: "acknowledge rows of", path: file.path,
                underlying: "\(stream.rawValue): \(sequence) is uploaded, and the file handed out \(known) at most")
        }
        let isNew = board.update { statistics in
            guard sequence > statistics[stream].marks.acknowledged else { return false }
            statistics[stream].marks.acknowledged = sequence
            return true
        }
        if isNew { handOver.noteAcknowledged() }
    }

    /// Adopts what the upload's ledger says is upstream, for the streams that it covers; durable on return.
    ///
    /// Rows that were acknowledged beyond it are no longer upstream and wait again; those that the file no longer has
    /// are counted in `drops`. Dead letters of rows that still wait are removed, because those rows are judged again:
    /// one that is then accepted must leave no letter to be retried. Call it only while no upload is under way.
    ///
    /// - Parameter uncertain: the streams of which some of the rows that wait then may be upstream: see
    ///   `UploadMarks.sentAgain`.
    public func agree(
        withLedger uploaded: [EventStream: Int64], uncertain: Set<EventStream> = []
    ) async throws(StoreError) {
        let statistics = board.current
        let isBehind = uploaded.contains { $1 < statistics[$0].marks.acknowledged }
        guard isBehind || unsettledLetters.withLock({ !$0.isDisjoint(with: uploaded.keys) }) else { return }
        let looked = uncertain.map { ($0, statistics[$0].marks.last) }
        try await handOver.flush { notes in
            notes.agree(with: uploaded)
            for (stream, last) in looked { notes.sentAgain[stream] = last }
        }
        board.update { statistics in
            for (stream, last) in looked { statistics[stream].marks.sentAgain = last }
        }
        unsettledLetters.withLock { $0.subtract(uploaded.keys) }
    }

    /// Makes a stream's rows from a sequence on wait again because a person wants them sent again, and records that they
    /// may be upstream although they wait: nothing else keeps them from being doubled, also after a restart. Rows before
    /// it that wait count as upstream, so the caller has looked them up. Durable on return.
    public func sendAgain(_ stream: EventStream, from sequence: Int64) async throws(StoreError) {
        let marks = board.current[stream].marks
        try await handOver.flush { notes in
            notes.asked.insert(stream)
            notes.sentAgain[stream] = marks.last
            notes.gone[stream] = 0
            if sequence <= marks.acknowledged { notes.agree(with: [stream: sequence - 1]) }
        }
        board.update { statistics in
            statistics[stream].marks.sentAgain = marks.last
            statistics[stream].marks.gone = 0
        }
        if sequence - 1 > marks.acknowledged { try await acknowledge(stream, through: sequence - 1) }
    }

    /// What the file knows of its uploads.
    public var line: UploadLine { board.line }

    /// Writes a transaction of the upload to the file before its COMMIT is sent; on the disk on return, whatever
    /// ``Synchronous`` is.
    public func prepare(_ move: UploadMove) async throws(StoreError) {
        board.updateLine { $0.add(move) }
        try await handOver.flush { $0.moves.append(move) }
    }

    /// Forgets earlier identifiers of a stream; durable on return.
    public func forget(_ ids: [String], of stream: EventStream) async throws(StoreError) {
        guard !ids.isEmpty else { return }
        board.updateLine { $0.forget(ids, of: stream) }
        try await handOver.flush { $0.forgotten += ids.map { ($0, stream) } }
    }

    /// Stores what happened to the file, such as damage that was found; durable on return.
    public func note(incident what: String, detail: String) async throws(StoreError) {
        try await handOver.flush { $0.incidents.append(Incident(what, detail: detail)) }
    }

    /// Stores through which sequence a stream's uploaded rows are gone upstream, 0 for none, and, if that is news, the
    /// incident; durable on return. ``sendAgain(_:from:)`` sets it back.
    public func note(
        gone sequence: Int64, of stream: EventStream, incident: Incident? = nil
    ) async throws(StoreError) {
        try await handOver.flush { notes in
            notes.gone[stream] = sequence
            if let incident { notes.incidents.append(incident) }
        }
        board.update { $0[stream].marks.gone = sequence }
    }

    /// Stores rows that the database will never take; on the disk on return, whatever ``Synchronous`` is. If a row has
    /// a letter already, its reason is replaced.
    public func addDeadLetters(_ letters: [DeadLetter]) async throws(StoreError) {
        guard !letters.isEmpty else { return }
        unsettledLetters.withLock { $0.formUnion(letters.map(\.stream)) }
        try await handOver.flush { $0.add(letters) }
    }

    /// Puts dead letters back into the queue, under new numbers at its end; durable on return.
    ///
    /// A letter leaves the file and its row moves to the end in one transaction, and the upload sends that row like any
    /// other, so it is never lost and never sent twice. A request that failed is carried out as soon as the file can be
    /// written. Repeating it puts nothing back twice, because letters that are no longer in the file are left out.
    ///
    /// A letter stays if its row can't be read, or if it is a bar of which the file holds a newer version. The oldest
    /// is put back first, so that of two versions of a bar the newer one gets the greater number. A row keeps its time
    /// of receipt, by which it is recognised upstream: see ``ReceiptOrder``.
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
            newer = try await look(for: newer, except: own)
            let settled = letters[start...].prefix(5000).compactMap { letter -> SettledLetter? in
                let isSuperseded = letter.stream == .bars && newer.found.contains(letter.sequence)
                guard !isSuperseded, let event = letter.event else { return nil }
                return SettledLetter(letter, event, lookedThrough: newer.through) { number in
                    numbers.withLock { $0.append((letter, number)) }
                }
            }
            try await handOver.flush { $0.settle(settled) }
        }
        return numbers.withLock { $0 }
    }

    /// Removes dead letters from the file and counts them in `drops`; durable on return. A letter whose row still waits
    /// is not counted: the row is judged again. Nor is one whose row was counted when it was deleted, or one that is not
    /// in the file.
    public func discard(_ letters: [DeadLetter]) async throws(StoreError) {
        guard !letters.isEmpty else { return }
        let settled = letters.map { SettledLetter(discarding: $0) }
        try await handOver.flush { $0.settle(settled) }
    }

    /// Removes dead letters whose rows are upstream after all, because a copy of the file sent them; durable on return.
    /// The rows keep their numbers.
    public func remove(uploaded letters: [DeadLetter]) async throws(StoreError) {
        guard !letters.isEmpty else { return }
        let settled = letters.map { SettledLetter(discarding: $0, isUploaded: true) }
        try await handOver.flush { $0.settle(settled) }
    }

    /// Stores how far the filling of gaps has come; durable on return. Call ``flush()`` first for the bars themselves.
    public func settle(_ fills: [GapFill]) async throws(StoreError) {
        guard !fills.isEmpty else { return }
        try await handOver.flush { $0.fills += fills }
    }

    /// Stores what comparing days with the tape found; durable on return. Call ``flush()`` first for the bars
    /// themselves.
    public func record(_ days: [ReconciledDay]) async throws(StoreError) {
        guard !days.isEmpty else { return }
        try await handOver.flush { $0.reconciled += days }
    }

    /// Commits what is queued, empties the log into the file and releases the lock; later calls throw `.closed`.
    ///
    /// Takes at most 5 seconds while the disk fails; the log then reports how many events could not be written.
    public func close() async {
        await reader.close()
        await visitors.close()
        handOver.close(patience: .seconds(5))
        await handOver.ended()
        await reader.close()
        await visitors.close()
    }
}
