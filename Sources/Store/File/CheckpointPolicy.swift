import MarketData

/// Decides when the write-ahead log is checkpointed, that is, moved into the file. Reads no clock.
///
/// SQLite's own automatic checkpoint would run inside a commit. Here the writer does it between commits, a few
/// megabytes at a time, so that an append waits for one small step at most.
struct CheckpointPolicy: Sendable {
    /// What to do with the log.
    enum Step: Equatable {
        case none
        /// Move what readers allow; don't wait for them, and don't shorten the log file.
        case passive
        /// Move everything and truncate the log file to nothing.
        case truncate
    }

    /// The size up to which an emptied log file is kept, in bytes.
    static let keptBytes: Int64 = 16 << 20

    /// How many unmoved bytes of log are worth a step while nothing waits to be written.
    private static let quietBytes: Int64 = 1 << 20
    /// How many unmoved bytes of log are moved even though events wait.
    private static let busyBytes: Int64 = 8 << 20
    /// How long to wait before retrying a step that a reader's snapshot kept from finishing.
    static let pause: Duration = .milliseconds(200)

    /// The log's length at which a reader's old snapshot is reported, in bytes.
    let reportedBytes: Int64
    private var nextTry: MonotonicTime?

    /// - Parameter maximumBytes: The log's length at which nothing more is written.
    init(maximumBytes: Int64) { reportedBytes = min(64 << 20, maximumBytes / 2) }

    /// What to do now.
    ///
    /// - Parameters:
    ///   - unmoved: The log's frames that are not in the file yet, in bytes.
    ///   - length: The log's frames in all, in bytes.
    ///   - isQuiet: Whether nothing waits to be written.
    ///   - diskIsTight: Whether the disk has so little room that the log must stay short.
    func next(unmoved: Int64, length: Int64, isQuiet: Bool, diskIsTight: Bool, now: MonotonicTime) -> Step {
        guard unmoved > 0 || length > CheckpointPolicy.keptBytes else { return .none }
        if let nextTry, now < nextTry { return .none }
        if length >= reportedBytes { return .truncate }
        if diskIsTight || unmoved >= Self.busyBytes || (isQuiet && unmoved >= Self.quietBytes) { return .passive }
        return .none
    }

    /// Notes how a step ended.
    mutating func finished(isPinned: Bool, now: MonotonicTime) {
        nextTry = isPinned ? now.advanced(by: Self.pause) : nil
    }
}
