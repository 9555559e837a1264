public import MarketData

/// The buffer's statistics at one moment, from memory.
public struct BufferStatistics: Sendable, Equatable {
    /// Whether events reach the file.
    public enum State: Sendable, Equatable {
        /// They do.
        case writing
        /// The file's limit is reached and the full policy is in effect.
        case full
        /// The disk is full and the full policy is in effect.
        case diskFull
        /// They don't, or soon won't; the message says why and what to do. The write is retried indefinitely.
        case failing(message: String)
    }

    /// One stream.
    public struct Stream: Sendable, Equatable {
        /// Rows made durable by this process.
        public var appended: Int64 = 0
        /// How far its durable rows and their upload have come.
        public var marks = UploadMarks()
        /// When the first row that waits for upload was received, in milliseconds since the Unix epoch.
        public var oldestPendingMilliseconds: Int64?
        /// Its rows in `dead_letters`.
        public var deadLetters: Int64 = 0

        /// Rows that wait for upload.
        public var pending: Int64 { marks.pending }
    }

    /// The streams.
    public var streams: [EventStream: Stream] = [:]
    /// Events in memory that are not durable yet.
    public var queuedEvents = 0
    /// Approximately how much memory they take, in bytes.
    public var queuedBytes = 0
    /// The part of the file in use, in bytes; what BUFFER_MAX_BYTES limits.
    public var usedBytes: Int64 = 0
    /// The file's size on disk, in bytes.
    public var fileBytes: Int64 = 0
    /// The size of the write-ahead log's file on disk, in bytes.
    public var walBytes: Int64 = 0
    /// How much of the file system may still be used, in bytes; `nil` before the first check.
    public var diskFreeBytes: Int64?
    /// The file system's size in bytes; `nil` before the first check.
    public var diskSizeBytes: Int64?
    /// Events dropped since the file was made, for any reason, including those not yet stored in the file.
    public var drops: Int64 = 0
    /// Events dropped since the process started because the file's limit, the disk or the queue had no room.
    public var noRoom: Int64 = 0
    /// Batches that did not fit into the queue since the process started; their events are in ``drops``.
    public var refusedBatches: Int64 = 0
    /// Rows in `gaps`.
    public var gaps: Int64 = 0
    /// Gaps that were there when the process started or were recorded since, with those that are no longer in `gaps`:
    /// withdrawn, forgotten with time, or in a file that was set aside. Never decreases while the process runs.
    public var recordedGaps: Int64 = 0
    /// Gaps that are over and not filled yet; counted once a second.
    public var openGaps: Int64 = 0
    /// When the backfill last gave up a gap, or a part of one, in milliseconds since the Unix epoch; `nil` if none is
    /// given up. Looked up when ``openGaps`` is.
    public var lastGivenUpGap: Int64?
    /// Commits since the process started.
    public var commits: Int64 = 0
    /// How long the last commit took, from the first insert until the sync returned.
    public var lastCommit: Duration = .zero
    /// The latest time at which a row was received, in milliseconds since the Unix epoch. While the clock is before it,
    /// new rows are dated just after it.
    public var latestReceipt: Int64 = 0
    /// Whether events reach the file.
    public var state: State = .writing
    /// Why the write-ahead log can't be emptied and what to do, while a reader keeps it from that; `nil` otherwise. Events
    /// reach the file until the log reaches its limit.
    public var pinnedLog: String?
    /// Paths of damaged or foreign files that were set aside, by this process or an earlier one, and are still in the
    /// data directory.
    public var setAside: [String] = []
    /// The repaired files of those that were repaired, by path.
    public var repairedFiles: [String: RepairedFile] = [:]

    /// Makes the statistics of an empty buffer.
    public init() {
        for stream in EventStream.allCases { streams[stream] = Stream() }
    }

    /// One stream's numbers.
    public subscript(_ stream: EventStream) -> Stream {
        get { streams[stream] ?? Stream() }
        set { streams[stream] = newValue }
    }

    /// The streams' last durable sequences.
    var lastSequences: StreamSequences { StreamSequences { self[$0].marks.last } }

    /// Whether the disk has so little room left that a person should make some: less than 1 GiB and less than a
    /// twentieth of the disk.
    public var diskIsLow: Bool {
        guard let diskFreeBytes, let diskSizeBytes else { return false }
        return diskFreeBytes < min(1 << 30, diskSizeBytes / 20)
    }

    /// Rows of all streams that wait for upload.
    public var pending: Int64 { streams.values.reduce(0) { $0 + $1.pending } }

    /// Rows in `dead_letters`.
    public var deadLetters: Int64 { streams.values.reduce(0) { $0 + $1.deadLetters } }

    /// Rows in `dead_letters`, by stream.
    var letters: [EventStream: Int64] {
        get { streams.mapValues(\.deadLetters) }
        set { for stream in EventStream.allCases { self[stream].deadLetters = newValue[stream] ?? 0 } }
    }

    /// When the first row of any stream that waits for upload was received, in milliseconds since the Unix epoch.
    public var oldestPendingMilliseconds: Int64? { streams.values.compactMap(\.oldestPendingMilliseconds).min() }
}

extension UploadMarks {
    /// Uploaded rows through this sequence may be deleted. The newest row of a stream stays, uploaded or not: it shows
    /// the next process how far the events had come.
    var deletable: Int64 { min(acknowledged, last - 1) }
}
