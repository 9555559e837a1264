import MarketData
import Store
import Synchronization
import Upstream

/// The batch size of each stream, kept from one pass to the next.
final class BatchSizes: Sendable {
    private let sizes: Mutex<[EventStream: BatchSize]>

    /// The most memory for a batch, in bytes. One batch is sent while the next is read.
    private static let memory = 8 << 20

    /// Begins with the usual number of rows; see ``BatchSize``.
    init(usual: Int, most: Int) {
        let sizes = EventStream.allCases.map { stream in
            (stream, BatchSize(usual, most: min(most, Self.memory / Self.bytes(of: stream.event))))
        }
        self.sizes = Mutex(Dictionary(uniqueKeysWithValues: sizes))
    }

    private static func bytes<Event: MarketEvent>(of event: Event.Type) -> Int { MemoryLayout<Buffered<Event>>.stride }

    /// Returns the number of rows in the stream's next batch.
    func rows(of stream: EventStream) -> Int { sizes.withLock { $0[stream]?.rows ?? 1 } }

    func tookTooLong(_ stream: EventStream) { sizes.withLock { $0[stream]?.tookTooLong() } }

    func wentUp(_ batch: SettledBatch) { sizes.withLock { $0[batch.stream]?.wentUp(batch.rows, in: batch.took) } }
}

/// The buffer's head, as a pass reads it: which stream is next, how far each was read, and what failed.
actor UploadQueue: UploadSource {
    private(set) var failures: [EventStream: UpstreamError] = [:]
    /// Whether it ended with rows left, because the pass reached its time limit or was asked to end.
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
    ///   - streams: The streams that take part, in the order of their first turns.
    ///   - ends: The last sequence of each stream to send.
    ///   - deadline: The time after which no stream gets a second batch; `nil` for none.
    ///   - isOver: Whether the pass should end before the next batch.
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
        (cursors[stream] ?? buffer.statistics[stream].marks.acknowledged) < ends[stream] ?? 0
    }

    func keep(_ refused: [DeadLetter]) async throws { try await buffer.addDeadLetters(refused) }

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
