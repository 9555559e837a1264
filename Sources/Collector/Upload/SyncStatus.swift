public import MarketData
import Upstream

/// The state of the upload: what was moved, and what keeps each stream, or all of them, from going on.
public struct SyncStatus: Sendable, Equatable {
    /// A failure that lasts.
    public struct Failure: Sendable, Equatable {
        /// What went wrong and what to do, in one line.
        public let description: String
        /// Whether a person must fix it.
        public let needsPerson: Bool
        /// When it began.
        public let since: ContinuousClock.Instant
    }

    /// What was moved since the process started.
    public private(set) var totals = UploadTotals()
    /// When a pass last found everything upstream.
    public private(set) var lastSuccess: ContinuousClock.Instant?
    /// The failures of streams; the other streams go on meanwhile.
    public private(set) var failures: [EventStream: Failure] = [:]
    /// The failure that keeps all streams from going on.
    private(set) var problem: Failure?

    /// When the next pass begins; `nil` while one is under way.
    public internal(set) var nextPass: ContinuousClock.Instant?

    /// Rows that were uploaded and are gone, in words, by stream.
    private(set) var missing: [EventStream: String] = [:]

    private var missingSince: ContinuousClock.Instant?
    private var before = UploadTotals()

    /// The same, with what keeps all streams of its database from going on told of each of them.
    func ofStreams(_ streams: [EventStream]) -> SyncStatus {
        guard let problem else { return self }
        var result = self
        for stream in streams where failures[stream] == nil { result.failures[stream] = problem }
        result.problem = nil
        return result
    }

    /// This and the status of another database's upload.
    func joined(with other: SyncStatus) -> SyncStatus {
        var sum = self
        sum.totals = totals + other.totals
        sum.lastSuccess = lastSuccess.flatMap { mine in other.lastSuccess.map { min(mine, $0) } }
        sum.failures.merge(other.failures) { $1 }
        sum.missing.merge(other.missing) { $1 }
        sum.missingSince = [missingSince, other.missingSince].compactMap(\.self).min()
        return sum
    }

    /// Rows that are upstream since the process started.
    public var rows: Int { totals.rows }
    /// Rows refused upstream since the process started.
    public var refused: Int { totals.refused }

    /// What is wrong in all, each stream named; `nil` when nothing is.
    public var failure: Failure? {
        if let problem { return problem }
        let failures = EventStream.allCases.compactMap { stream in self.failures[stream].map { (stream, $0) } }
        let gone = EventStream.allCases.compactMap { missing[$0] }
        guard let since = (failures.map(\.1.since) + [missingSince].compactMap(\.self)).min() else { return nil }
        return Failure(
            description: (failures.map { "\($0.rawValue): \($1.description)" } + gone).joined(separator: "; "),
            needsPerson: !gone.isEmpty || failures.contains { $1.needsPerson }, since: since)
    }

    /// What the pass under way has moved so far.
    ///
    /// Rows that went up end their stream's failure, and don't wait for the pass's end to do so.
    public mutating func progressed(_ moved: UploadTotals) {
        let now = before + moved
        for stream in EventStream.allCases where now[stream].uploaded > totals[stream].uploaded {
            failures[stream] = nil
            problem = nil
        }
        totals = now
    }

    mutating func passed(_ report: UploadReport, of streams: [EventStream], at now: ContinuousClock.Instant) {
        progressed(report.totals)
        before = totals
        missing = report.missing
        missingSince = missing.isEmpty ? nil : missingSince ?? now
        guard report.problem == nil else { return }
        problem = nil
        for stream in streams where report.failures[stream] == nil { failures[stream] = nil }
        if failures.isEmpty, !report.isCutShort { lastSuccess = now }
    }

    /// A failure that lasts; of one stream, or of all.
    public mutating func failed(
        _ stream: EventStream?, _ description: String, needsPerson: Bool, at now: ContinuousClock.Instant
    ) {
        let last = if let stream { failures[stream] } else { problem }
        let failure = Failure(description: description, needsPerson: needsPerson, since: last?.since ?? now)
        if let stream { failures[stream] = failure } else { problem = failure }
    }
}
