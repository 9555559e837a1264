/// Recorded frames to send again, from one capture or several.
public struct CaptureReplay: Sendable, Equatable {
    /// What times the events carry.
    public enum Times: Sendable, Equatable {
        /// Those that were recorded; in every further pass, moved on by the length of a pass.
        case asRecorded
        /// Moved by whole minutes so that the first pass starts in the minute when the replay starts; in every further
        /// pass, moved on by the length of a pass.
        case startingNow
        /// Moved by whole minutes so that the first pass starts in the minute of this time, in milliseconds since the
        /// Unix epoch; in every further pass, moved on by the length of a pass.
        case startingAt(Int64)
    }

    /// The captures' paths: files plain or compressed with gzip, in which one line is one text frame, as the feed sent
    /// it. Several are merged by the time of their frames, and keep their own order.
    public var files: [String]
    /// How many times all is sent; `nil` sends it for ever.
    var passes: Int?
    /// What times the events carry.
    public var times: Times

    /// Makes a replay; see the properties for meaning.
    public init(files: [String], passes: Int? = 1, times: Times = .asRecorded) {
        self.files = files
        self.passes = passes
        self.times = times
    }
}
