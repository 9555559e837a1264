import MarketData
import Store
import Synchronization
import Upstream

/// The size of each stream's batches, which outlives a pass.
final class BatchSizes: Sendable {
    private let sizes: Mutex<[EventStream: BatchSize]>

    init(most: Int) {
        let size = BatchSize(most: most)
        sizes = Mutex(Dictionary(uniqueKeysWithValues: EventStream.allCases.map { ($0, size) }))
    }

    /// How many rows the stream's next batch has.
    func rows(of stream: EventStream) -> Int { sizes.withLock { $0[stream]?.rows ?? 1 } }

    func tookTooLong(_ stream: EventStream) { sizes.withLock { $0[stream]?.tookTooLong() } }

    func wentUp(_ count: Int, of stream: EventStream) { sizes.withLock { $0[stream]?.wentUp(count) } }
}

/// The buffer's head as a pass reads it: whose turn it is, how far each stream was read, and what failed.
actor UploadQueue: UploadSource {
    private(set) var failures: [EventStream: UpstreamError] = [:]
    private let buffer: TickBuffer
    private let sizes: BatchSizes
    private let progress: @Sendable (SettledBatch) -> Void
    private let streams: [EventStream]
    private var cursors: [EventStream: Int64] = [:]
    private var turn = 0

    /// - Parameter streams: Those that take part, the first one first.
    init(
        buffer: TickBuffer, sizes: BatchSizes, streams: [EventStream],
        progress: @escaping @Sendable (SettledBatch) -> Void
    ) {
        self.buffer = buffer
        self.sizes = sizes
        self.streams = streams
        self.progress = progress
    }

    func nextBatch() async throws -> BufferedBatch? {
        for offset in streams.indices {
            let stream = streams[(turn + offset) % streams.count]
            guard failures[stream] == nil else { continue }
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

    func keep(_ refused: [RefusedRow], of stream: EventStream) async throws {
        try await buffer.addDeadLetters(refused.map { DeadLetter($0, stream: stream) })
    }

    func settled(_ batch: SettledBatch) async throws {
        try await buffer.acknowledge(batch.stream, through: batch.last)
        sizes.wentUp(batch.rows, of: batch.stream)
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
