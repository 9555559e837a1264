import MarketData
import Store
import Synchronization
import Upstream

/// The size of each stream's batches, which outlives a pass.
final class BatchSizes: Sendable {
    private let sizes: Mutex<[EventStream: BatchSize]>

    /// What a batch may take in memory, in bytes: one is sent while the next is read.
    private static let memory = 8 << 20

    /// Begins with the usual number of rows; see ``BatchSize``.
    init(usual: Int, most: Int) {
        let sizes = EventStream.allCases.map { stream in
            (stream, BatchSize(usual, most: min(most, Self.memory / Self.bytes(of: stream.event))))
        }
        self.sizes = Mutex(Dictionary(uniqueKeysWithValues: sizes))
    }

    private static func bytes<Event: MarketEvent>(of event: Event.Type) -> Int { MemoryLayout<Buffered<Event>>.stride }

    /// How many rows the stream's next batch has.
    func rows(of stream: EventStream) -> Int { sizes.withLock { $0[stream]?.rows ?? 1 } }

    func tookTooLong(_ stream: EventStream) { sizes.withLock { $0[stream]?.tookTooLong() } }

    func wentUp(_ batch: SettledBatch) {
        sizes.withLock { $0[batch.stream]?.wentUp(batch.rows, in: batch.took) }
    }
}

/// The buffer's head as a pass reads it: whose turn it is, how far each stream was read, and what failed.
actor UploadQueue: UploadSource {
    private(set) var failures: [EventStream: UpstreamError] = [:]
    /// Whether it ended with rows left, because the pass was to end.
    private(set) var isCutShort = false
    private let buffer: TickBuffer
    private let sizes: BatchSizes
    private let progress: @Sendable (SettledBatch) -> Void
    private let streams: [EventStream]
    private let ends: [EventStream: Int64]
    private let deadline: ContinuousClock.Instant?
    private let isOver: @Sendable () -> Bool
    private var cursors: [EventStream: Int64] = [:]
    private var turn = 0

    /// - Parameters:
    ///   - streams: Those that take part, the first one first.
    ///   - ends: The last sequence of each to send.
    ///   - deadline: No stream has a second batch after it.
    ///   - isOver: Whether there is to be no further batch at all.
    init(
        buffer: TickBuffer, sizes: BatchSizes, streams: [EventStream], ends: [EventStream: Int64],
        deadline: ContinuousClock.Instant?, isOver: @escaping @Sendable () -> Bool,
        progress: @escaping @Sendable (SettledBatch) -> Void
    ) {
        self.buffer = buffer
        self.sizes = sizes
        self.streams = streams
        self.ends = ends
        self.deadline = deadline
        self.isOver = isOver
        self.progress = progress
    }

    func nextBatch() async throws -> BufferedBatch? {
        for offset in streams.indices {
            let stream = streams[(turn + offset) % streams.count]
            guard failures[stream] == nil, isLeft(stream) else { continue }
            guard !isOver(), cursors[stream] == nil || !isLate else {
                isCutShort = true
                continue
            }
            let limit = sizes.rows(of: stream)
            guard let batch = try await buffer.nextBatch(of: stream, after: cursors[stream], limit: limit),
                let last = batch.lastSequence
            else { continue }
            cursors[stream] = last
            turn = (turn + offset + 1) % streams.count
            return batch
        }
        return nil
    }

    private var isLate: Bool { deadline.map { $0 <= .now } ?? false }

    private func isLeft(_ stream: EventStream) -> Bool {
        (cursors[stream] ?? buffer.statistics[stream].acknowledgedSequence) < ends[stream] ?? 0
    }

    func keep(_ refused: [RefusedRow], of stream: EventStream) async throws {
        try await buffer.addDeadLetters(refused.map { DeadLetter($0, stream: stream) })
    }

    func settled(_ batch: SettledBatch) async throws {
        try await buffer.acknowledge(batch.stream, through: batch.last)
        sizes.wentUp(batch)
        progress(batch)
    }

    func failed(_ stream: EventStream, _ error: UpstreamError) {
        failures[stream] = error
        if error.isSlow { sizes.tookTooLong(stream) }
    }
}

extension DeadLetter {
    fileprivate init(_ row: RefusedRow, stream: EventStream) {
        self.init(
            stream: stream, sequence: row.sequence, sqlState: row.sqlState, reason: row.reason, row: row.rowJSON)
    }
}
