import Dispatch
import GRDB
import Glibc
import MarketData
import Synchronization

/// Reads the buffer's rows over a read-only connection and on a queue of its own.
///
/// It works beside the writer without waiting for it. Each batch is read in one short snapshot.
final class TickReader: Sendable {
    /// The connection and its statements, opened when first needed and again when the file was replaced. Used only on
    /// the queue.
    private struct Connection: @unchecked Sendable {
        let queue: DatabaseQueue
        let statements: [EventStream: PreparedStatement]
        let generation: Int
    }

    private let file: StoreFile
    private let board: Board
    private let handOver: HandOver
    /// Whether a commit is on the disk when it returns; else a batch is synced before it is handed out.
    private let commitsAreDurable: Bool
    private let queue = DispatchQueue(label: "EdgeTick.buffer-reader")
    private let connection = Mutex<Connection?>(nil)
    /// How far unreadable rows were counted: the same rows are read again until a row after them is settled.
    private let counted = Mutex(StreamSequences())

    init(file: StoreFile, board: Board, handOver: HandOver, commitsAreDurable: Bool) {
        self.file = file
        self.board = board
        self.handOver = handOver
        self.commitsAreDurable = commitsAreDurable
    }

    /// Returns the rows after a sequence, at most `limit`; `nil` if there are none.
    func nextBatch(
        of stream: EventStream, after sequence: Int64?, limit: Int
    ) async throws(StoreError) -> BufferedBatch? {
        try await queue.waiting { [self] () throws(StoreError) -> BufferedBatch? in
            guard limit > 0 else { return nil }
            let marks = board.current[stream].marks
            var after = max(sequence ?? 0, marks.acknowledged)
            while after < marks.last {
                let run = try twiceIfDamaged { () throws(StoreError) in
                    let run = try readRun(stream, after: after, through: marks.last, limit: limit)
                    // A page may be readable and lack rows.
                    try explain(run.holes, of: stream)
                    return run
                }
                if !run.unreadable.isEmpty { handOver.record(run.unreadable) }
                // Without an end, no row is left there: somebody deleted them.
                guard let end = run.end else { return nil }
                counted.withLock { $0[stream] = max($0[stream], end) }
                if run.batch.count > 0 {
                    if !commitsAreDurable { try sync() }
                    board.handOut(stream, through: end)
                    return run.batch
                }
                after = end
            }
            return nil
        }
    }

    /// Like ``run(of:after:through:limit:)``, but no row may be missing without an explanation; and whether damage
    /// follows, which is no error here.
    func rows(
        of stream: EventStream, after: Int64, through: Int64, limit: Int
    ) async throws(StoreError) -> (batch: BufferedBatch, end: Int64, isCut: Bool) {
        guard after < through, limit > 0 else { return (BufferedBatch(stream: stream), through, false) }
        return try await reading { [self] () throws(StoreError) in
            var run = try readRun(stream, after: after, through: through, limit: limit, mayBeEmpty: true)
            if run.isCut {
                // As with other damage, only a second read, over a new connection, counts.
                drop()
                run = try readRun(stream, after: after, through: through, limit: limit, mayBeEmpty: true)
            }
            let end = run.end ?? after
            // To find that a row is the last one, SQLite reads the page after it.
            let isCut = run.isCut && end < through
            guard !isCut, run.count < limit else {
                try explain(run.holes, of: stream)
                return (run.batch, end, isCut)
            }
            let last = min(through, board.current[stream].marks.last)
            try explain(run.holes + (end < last ? [end + 1...last] : []), of: stream)
            return (run.batch, through, false)
        }
    }

    /// Returns the rows after one sequence and through another, uploaded or not, and the sequence through which they
    /// were read: those before a damaged page are returned.
    func run(
        of stream: EventStream, after: Int64, through: Int64, limit: Int
    ) async throws(StoreError) -> (batch: BufferedBatch, end: Int64) {
        guard after < through, limit > 0 else { return (BufferedBatch(stream: stream), through) }
        return try await reading { [self] () throws(StoreError) in
            let run = try readRun(stream, after: after, through: through, limit: limit)
            return (run.batch, run.end ?? through)
        }
    }

    /// Runs `body` over the open connection, without a transaction: each statement reads a snapshot of its own.
    func ask<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(StoreError) -> Value {
        try await reading { [self] () throws(StoreError) in
            let opened = try open()
            return try StoreError.translating("read", path: file.path) { try opened.queue.unsafeRead(body) }
        }
    }

    /// Runs `body` on the queue, twice if it finds damage.
    func reading<Value: Sendable>(
        _ body: @escaping @Sendable () throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        try await queue.waiting { () throws(StoreError) in try self.twiceIfDamaged(body) }
    }

    /// Closes the connection; a later read opens it again.
    func close() async {
        await queue.waiting { self.drop() }
    }

    /// Repeats the read over a new connection before damage is believed; a collector's writer then sets the file aside.
    private func twiceIfDamaged<Value>(_ read: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        do {
            return try read()
        } catch {
            drop()
            guard error.reason == .damaged else { throw error }
        }
        let generation = board.generation
        do {
            return try read()
        } catch {
            drop()
            if error.reason == .damaged { handOver.report(HandOver.Damage(error: error, generation: generation)) }
            throw error
        }
    }

    /// - Parameter mayBeEmpty: Whether damage at the first row is no error.
    private func readRun(
        _ stream: EventStream, after: Int64, through: Int64, limit: Int, mayBeEmpty: Bool = false
    ) throws(StoreError) -> BatchRun {
        let opened = try open()
        let countedThrough = counted.withLock { $0[stream] }
        guard let statement = opened.statements[stream] else { return BatchRun(stream: stream) }
        return try StoreError.translating("read", path: file.path) {
            try opened.queue.unsafeRead { _ in
                statement.bind([after, through, limit])
                defer { statement.reset() }
                var run = BatchRun(stream: stream, after: after, countedThrough: countedThrough)
                run.batch.reserve(min(limit, Int(through - after)))
                do throws(StoreError) {
                    while try statement.step() { run.append(statement.row) }
                } catch {
                    // The rows before the damage are good.
                    guard error.reason == .damaged, run.batch.count > 0 || mayBeEmpty else { throw error }
                    run.isCut = true
                }
                return run
            }
        }
    }

    /// Checks that rows that are missing were deleted, or are counted as lost.
    ///
    /// - Throws: `.damaged` when they are neither.
    private func explain(_ holes: [ClosedRange<Int64>], of stream: EventStream) throws(StoreError) {
        guard !holes.isEmpty else { return }
        let opened = try open()
        let known: [ClosedRange<Int64>] = try StoreError.translating("read", path: file.path) {
            // Both in one snapshot: rows may be deleted at this moment.
            try opened.queue.read { database in
                let deleted = try Int64.fetchOne(
                    database, sql: "SELECT deleted_through FROM streams WHERE stream = ?", arguments: [stream.rawValue])
                return try SequenceSpans.dropped(of: stream, database) + [0...max(0, deleted ?? 0)]
            }
        }
        let accounted = SequenceSpans(known)
        guard let hole = holes.first(where: { !accounted.cover($0) }) else { return }
        throw StoreError(
            .damaged, operation: "read", path: file.path,
            underlying: "rows \(hole.lowerBound) to \(hole.upperBound) of \(stream.rawValue) are missing")
    }

    private func open() throws(StoreError) -> Connection {
        let generation = board.generation
        if let current = connection.withLock({ $0 }), current.generation == generation { return current }
        drop()
        let queue = try StoreConnection.openReader(file.path)
        let opened: Connection = try StoreError.translating("open", path: file.path) {
            try queue.unsafeRead { database in
                guard try String.fetchOne(database, sql: "SELECT id FROM buffer") == self.board.line.id else {
                    throw StoreError(
                        .foreign, operation: "read", path: self.file.path,
                        underlying: "the file of another buffer took its place")
                }
                var statements: [EventStream: PreparedStatement] = [:]
                for stream in EventStream.allCases {
                    statements[stream] = try PreparedStatement(
                        reading: """
                            SELECT \(stream.columnList) FROM \(stream.rawValue)
                            WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3
                            """, on: database)
                }
                return Connection(queue: queue, statements: statements, generation: generation)
            }
        }
        connection.withLock { $0 = opened }
        return opened
    }

    private func drop() {
        let queue = connection.withLock { held in
            defer { held = nil }
            return held?.queue
        }
        // A connection that fails to close is abandoned; SQLite frees it with its last statement.
        try? queue?.close()
    }

    /// With `synchronous` normal, a commit may not have reached the disk yet. What is handed to an upload must not be
    /// lost in a later power cut, since its numbers would be given again.
    private func sync() throws(StoreError) {
        let log = file.path + "-wal"
        let descriptor = Glibc.open(log, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno != ENOENT else { return }
            throw StoreError(systemError: errno, operation: "sync", path: log)
        }
        defer { Glibc.close(descriptor) }
        guard fdatasync(descriptor) == 0 else {
            throw StoreError(
                .inputOutput, operation: "sync", path: log, underlying: StoreError.text(ofSystemError: errno))
        }
    }
}
