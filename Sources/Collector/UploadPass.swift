import MarketData
public import Store
public import Upstream

/// What an upload has moved so far.
public struct UploadTotals: Sendable, Equatable {
    /// Rows read from the buffer and settled upstream: written, already there, or set aside.
    public var rows = 0
    /// Rows that went to the dead letters.
    public var refused = 0
    /// Batches sent.
    public var batches = 0

    /// Totals of nothing.
    public init() {}
}

/// Moves everything that is buffered upstream, once: reads from the head, sends, acknowledges.
///
/// The ledger upstream decides what is already there, so a pass may end anywhere, by an error or a kill, and the next
/// one neither loses nor doubles a row.
public struct UploadPass: Sendable {
    private let buffer: TickBuffer
    private let uploader: Uploader
    private let batchRows: Int

    /// A pass from `buffer` through `uploader`, at most `batchRows` rows a transaction.
    public init(buffer: TickBuffer, uploader: Uploader, batchRows: Int) {
        self.buffer = buffer
        self.uploader = uploader
        self.batchRows = batchRows
    }

    /// Runs until the buffer has no more rows to send; `progress` hears of every batch.
    ///
    /// The streams take turns, bars first, so that a backlog of quotes doesn't hold up the bars. The next batch is
    /// read while one is sent.
    ///
    /// - Throws: `StoreError` and `UpstreamError`; what was acknowledged until then stays so.
    public func run(progress: @escaping @Sendable (UploadTotals) -> Void = { _ in }) async throws -> UploadTotals {
        try await settleWithLedger()
        let queue = UploadQueue(buffer: buffer, batchRows: batchRows, progress: progress)
        try await uploader.drain(queue)
        return await queue.totals
    }

    /// Has the buffer agree with what the ledger says is upstream: a pass that ended between COMMIT and acknowledgement
    /// left that knowledge there alone, and a server that lost its last transactions knows less than the buffer. A ledger
    /// that is ahead of the file means that the file is an older copy: an error.
    ///
    /// - Throws: `StoreError` and `UpstreamError`.
    func settleWithLedger() async throws {
        try await uploader.connect()
        let statistics = buffer.statistics
        var known: [EventStream: Int64] = [:]
        // Rows of a file that this one was repaired from went up under that file's id, if they did.
        for predecessor in buffer.predecessors {
            let acknowledged = buffer.statistics[predecessor.stream].acknowledgedSequence
            guard acknowledged < predecessor.through else { continue }
            let uploaded = try await uploader.settledSequence(of: predecessor.stream, by: predecessor.id)
            let settled = min(uploaded, predecessor.through)
            if settled > acknowledged { try await buffer.acknowledge(predecessor.stream, through: settled) }
        }
        for stream in EventStream.allCases {
            var uploaded = try await uploader.uploadedSequence(of: stream)
            if uploaded == 0, statistics.deadLetters > 0 {
                // A transaction that makes the ledger's row may still be open, and be the one that the letters are of.
                uploaded = try await uploader.settledSequence(of: stream, by: buffer.id)
            }
            if uploaded > statistics[stream].acknowledgedSequence {
                try await buffer.acknowledge(stream, through: uploaded)
            }
            // Of none, nothing follows: the rows may have gone up under a predecessor's id, or to another database.
            if uploaded > 0 { known[stream] = uploaded }
        }
        try await buffer.agree(withLedger: known)
    }
}

/// The buffer's head as a pass reads it: whose turn it is, how far each stream was read, and what was moved.
private actor UploadQueue: UploadSource {
    private(set) var totals = UploadTotals()
    private let buffer: TickBuffer
    private let batchRows: Int
    private let progress: @Sendable (UploadTotals) -> Void
    private var cursors: [EventStream: Int64] = [:]
    private var turn = 0

    init(buffer: TickBuffer, batchRows: Int, progress: @escaping @Sendable (UploadTotals) -> Void) {
        self.buffer = buffer
        self.batchRows = batchRows
        self.progress = progress
    }

    func nextBatch() async throws -> BufferedBatch? {
        let streams = EventStream.allCases
        for offset in streams.indices {
            let stream = streams[(turn + offset) % streams.count]
            guard let batch = try await buffer.nextBatch(of: stream, after: cursors[stream], limit: batchRows),
                let last = batch.lastSequence
            else { continue }
            cursors[stream] = last
            turn = (turn + offset + 1) % streams.count
            return batch
        }
        return nil
    }

    func keep(_ refused: [RefusedRow], of stream: EventStream) async throws {
        try await buffer.addDeadLetters(refused.map { DeadLetter($0, stream: stream) })
    }

    func settled(_ batch: SettledBatch) async throws {
        try await buffer.acknowledge(batch.stream, through: batch.last)
        totals.batches += 1
        totals.rows += batch.rows
        totals.refused += batch.outcome.refused
        progress(totals)
    }
}

extension DeadLetter {
    fileprivate init(_ row: RefusedRow, stream: EventStream) {
        self.init(
            stream: stream, sequence: row.sequence, sqlState: row.sqlState, reason: row.reason, row: row.rowJSON)
    }
}
