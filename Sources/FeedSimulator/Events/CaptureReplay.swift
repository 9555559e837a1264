/// Recorded frames to send again, from one capture or several.
public struct CaptureReplay: Sendable, Equatable {
    /// The captures' paths: files plain or compressed with gzip, in which one line is one text frame, as the feed sent
    /// it. Several are merged by the time of their frames, and keep their own order.
    public var files: [String]
    /// How many times everything is sent; `nil` repeats without end. Each further pass moves the times on by the length
    /// of a pass.
    var passes: Int?
    /// Moves the times by whole minutes so that the first pass starts in the minute of this time, in milliseconds since
    /// the Unix epoch; `nil` leaves them as recorded.
    var start: Int64?

    /// Makes a replay; see the properties for meaning.
    public init(files: [String], passes: Int? = 1, start: Int64? = nil) {
        self.files = files
        self.passes = passes
        self.start = start
    }
}
