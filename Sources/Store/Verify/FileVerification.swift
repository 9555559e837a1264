public import MarketData

/// The result of verifying one local file.
public struct FileVerification: Sendable, Equatable {
    /// One stream's rows.
    public struct Stream: Sendable, Equatable {
        /// Rows that could be read.
        public var rows: Int64 = 0
        /// The first row's sequence; `nil` if there are no rows.
        public var first: Int64?
        /// The last row's sequence; `nil` if there are no rows.
        public var last: Int64?
        /// The last sequence known to be upstream.
        public var acknowledged: Int64 = 0
        /// Rows through this sequence were deleted.
        public var deletedThrough: Int64 = 0

        /// The last sequence ever given.
        var lastGiven: Int64 { max(last ?? 0, acknowledged, deletedThrough) }
    }

    /// The file.
    public var path: String
    /// Which of the two files it is.
    public var kind: LocalFile
    /// The schema's version; `nil` when it can't be read.
    public var schemaVersion: Int?
    /// The file's own identifier; `nil` when it can't be read or there is none.
    public var id: String?
    /// The collector that made the file.
    public var collector: String?
    /// The process that holds the file; `nil` when none does.
    public var holder: Int32?
    /// The streams of a `ticks.sqlite`.
    public var streams: [EventStream: Stream] = [:]
    /// The identifiers that the file had before, oldest first.
    public var predecessors: [UploadLine.Predecessor] = []
    /// The number of rows that were read.
    public var rows: Int64 = 0
    /// What was found, in the order of the checks.
    public var findings: [FileFinding] = []

    /// Whether no fault was found.
    public var isSound: Bool { !findings.contains { $0.severity == .fault } }

    /// Returns how many findings of a severity there are.
    public func count(_ severity: FileFinding.Severity) -> Int {
        findings.count { $0.severity == severity }
    }

    /// Adds a finding of a comparison with the database.
    public mutating func find(
        _ severity: FileFinding.Severity, at place: String, _ text: String, advice: String
    ) {
        find(severity, .ledger, at: place, text, advice: advice)
    }

    mutating func find(
        _ severity: FileFinding.Severity, _ check: FileFinding.Check, at place: String, _ text: String,
        advice: String = ""
    ) {
        findings.append(FileFinding(severity, check, at: place, text, advice: advice))
    }
}
