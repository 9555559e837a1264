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
    public func count(_ severity: Severity) -> Int { findings.count { $0.severity == severity } }

    /// Adds a finding; see the properties of ``FileFinding`` for meaning.
    public mutating func find(
        _ severity: Severity, _ check: FileFinding.Check, at place: String, _ text: String,
        advice: String = ""
    ) {
        findings.append(FileFinding(severity: severity, check: check, place: place, text: text, advice: advice))
    }

    /// Reports damage, so that the rest can be checked; any other error ends the verification.
    mutating func noteDamage(
        _ error: StoreError, at place: String, advice: String = FileVerifier.repairAdvice
    ) throws(StoreError) {
        guard error.reason == .damaged else { throw error }
        find(.fault, .structure, at: place, error.underlying ?? "it can't be read", advice: advice)
    }

    /// The identifiers to look up in the ledger upstream: the file's own and its earlier ones.
    public var ledgerIDs: [String] {
        var ids = id.map { [$0] } ?? []
        for predecessor in predecessors where !ids.contains(predecessor.id) { ids.append(predecessor.id) }
        return ids
    }

    /// Compares the marks with the ledger upstream: the last uploaded sequences, by identifier and stream.
    ///
    /// - Parameters:
    ///   - compared: The streams that the ledger covers.
    ///   - later: The file as it was after the ledger was read, since a running collector gives numbers, and uploads
    ///     their rows, while its file is verified.
    public mutating func compare(
        with ledger: [String: [EventStream: Int64]], of compared: [EventStream] = EventStream.allCases,
        later: FileVerification? = nil
    ) {
        guard let id else { return }
        for stream in compared {
            guard let marks = streams[stream] else { continue }
            let own = ledger[id]?[stream] ?? 0
            var settled = own
            for predecessor in predecessors where predecessor.stream == stream {
                settled = max(settled, min(ledger[predecessor.id]?[stream] ?? 0, predecessor.through))
            }
            let name = stream.rawValue
            let lastGiven = max(marks.lastGiven, later?.streams[stream]?.lastGiven ?? 0)
            if own > lastGiven {
                find(
                    .fault, .ledger, at: name,
                    "the ledger is at \(own), but the file's numbers end at \(lastGiven): the file is an older copy",
                    advice: "stop the collector, run edgetick repair --force (it gives the file a new identifier), "
                        + "then start the collector")
            } else if marks.acknowledged > settled {
                find(
                    .fault, .ledger, at: name,
                    "the file counts rows through \(marks.acknowledged) as uploaded, but the ledger has only those "
                        + "through \(settled)",
                    advice:
                        "check that this is the right database; if it was restored from an older backup, the next upload "
                        + "sends again what the buffer still has")
            } else if settled > marks.acknowledged {
                find(
                    .note, .ledger, at: name,
                    "rows through \(settled) are upstream, but the file has recorded only those through "
                        + "\(marks.acknowledged); the next upload corrects this")
            }
        }
    }
}
