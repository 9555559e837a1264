/// Recorded frames to send again, from one capture or several.
public struct CaptureReplay: Sendable, Equatable {
    /// A recording: one line is one text frame, as the feed sent it.
    public enum Capture: Sendable, Equatable {
        /// A file, plain or compressed with gzip (told by its first bytes).
        case file(path: String)
        /// Lines in memory, under the name that errors show.
        case text(name: String, [UInt8])

        /// The file's path, or the text's name.
        public var name: String {
            switch self {
            case .file(let path): path
            case .text(let name, _): name
            }
        }
    }

    /// What times the events carry.
    public enum Times: Sendable, Equatable {
        /// Those that were recorded; in every further pass, moved on by the length of a pass.
        case asRecorded
        /// Moved by whole minutes so that the first pass starts in the minute when the replay starts; in every further
        /// pass, moved on by the length of a pass.
        case startingNow
        /// Moved by whole minutes so that the first pass starts in the minute of this time, in milliseconds since the
        /// Unix epoch;
        /// in every further pass, moved on by the length of a pass.
        case startingAt(Int64)
    }

    /// The captures; several are merged by the time of their frames, and keep their own order.
    public var captures: [Capture]
    /// How many times all is sent; `nil` sends it for ever.
    public var passes: Int?
    /// What times the events carry.
    public var times: Times

    /// Makes a replay; see the properties for meaning.
    public init(captures: [Capture], passes: Int? = 1, times: Times = .asRecorded) {
        self.captures = captures
        self.passes = passes
        self.times = times
    }

    /// Makes a replay of files.
    public init(files: [String], passes: Int? = 1, times: Times = .asRecorded) {
        self.init(captures: files.map { .file(path: $0) }, passes: passes, times: times)
    }
}
