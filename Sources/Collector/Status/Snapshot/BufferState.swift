public import MarketData
import Store

/// How the durable queue stands.
public struct BufferState: Sendable, Equatable {
    /// Whether events reach the file.
    public enum Condition: Sendable, Equatable {
        /// Events are being made durable.
        case writing
        /// The cap is reached: the policy drops or rejects, and counts.
        case full
        /// The disk has no more room: the policy drops or rejects, and counts.
        case diskFull
        /// Commits fail; the text says why and what to do.
        case failing(String)
    }

    /// One stream of rows.
    public struct Stream: Sendable, Equatable {
        /// Rows appended since the process started.
        public var appended: Int64 = 0
        /// Rows not yet acknowledged upstream.
        public var pending: Int64 = 0
        /// The newest durable sequence.
        public var lastSequence: Int64 = 0
        /// The sequence through which upstream has everything.
        public var acknowledged: Int64 = 0

        /// Makes the counts of an empty stream.
        public init() {}
    }

    /// Whether events reach the file.
    public var condition: Condition = .writing
    /// The streams of rows.
    public var streams: [EventStream: Stream] = [:]
    /// Events in memory, on their way to the file.
    public var queuedEvents = 0
    /// Bytes in memory, on their way to the file.
    public var queuedBytes = 0
    /// The age of the oldest row that upstream does not have, in seconds; `nil` when it has all.
    public var oldestPendingAge: Double?
    /// The part of the file in use, in bytes: what the cap bounds.
    public var usedBytes: Int64 = 0
    /// The file's size in bytes, its write-ahead log apart.
    public var fileBytes: Int64 = 0
    /// The write-ahead log's size in bytes.
    public var walBytes: Int64 = 0
    /// The cap in bytes (`BUFFER_MAX_BYTES`).
    public var maximumBytes: Int64 = 0
    /// What of the buffer's disk may still be used, in bytes; `nil` before it was looked at.
    public var diskFreeBytes: Int64?
    /// The size of the buffer's disk in bytes; `nil` before it was looked at.
    public var diskSizeBytes: Int64?
    /// Whether the disk has so little room left that a person should make some.
    public var diskIsLow = false
    /// Events dropped, as the file has counted them.
    public var drops: Int64 = 0
    /// Batches that did not fit into the queue; their events are in ``drops``.
    public var refusedBatches: Int64 = 0
    /// How long the last commit took, in seconds.
    public var lastCommit = 0.0
    /// Gaps recorded.
    public var gaps: Int64 = 0
    /// Rows in `dead_letters`.
    public var deadLetters: Int64 = 0
    /// Paths of damaged files that were set aside and still lie in the data directory.
    public var setAside: [String] = []

    /// Makes the state of an empty buffer.
    public init() {}

    /// Rows of all streams that upstream does not have.
    public var pending: Int64 { streams.values.reduce(0) { $0 + $1.pending } }
}

extension BufferState {
    /// The buffer's state, from memory.
    ///
    /// - Parameter time: Milliseconds since the Unix epoch.
    init(_ statistics: BufferStatistics, maximumBytes: Int64, at time: Int64) {
        self.init()
        condition =
            switch statistics.state {
            case .writing: .writing
            case .full: .full
            case .diskFull: .diskFull
            case .failing(let message): .failing(message)
            }
        for stream in EventStream.allCases {
            let counts = statistics[stream]
            var own = Stream()
            own.appended = counts.appended
            own.pending = counts.pending
            own.lastSequence = counts.lastSequence
            own.acknowledged = counts.acknowledgedSequence
            streams[stream] = own
        }
        queuedEvents = statistics.queuedEvents
        queuedBytes = statistics.queuedBytes
        oldestPendingAge = statistics.oldestPendingMilliseconds.map { max(0, Double(time - $0) / 1000) }
        usedBytes = statistics.usedBytes
        fileBytes = statistics.fileBytes
        walBytes = statistics.walBytes
        self.maximumBytes = maximumBytes
        diskFreeBytes = statistics.diskFreeBytes
        diskSizeBytes = statistics.diskSizeBytes
        diskIsLow = statistics.diskIsLow
        drops = statistics.drops
        refusedBatches = statistics.refusedBatches
        lastCommit = statistics.lastCommit.inSeconds
        gaps = statistics.gaps
        deadLetters = statistics.deadLetters
        setAside = statistics.setAside
    }
}
