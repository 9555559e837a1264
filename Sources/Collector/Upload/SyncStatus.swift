public import MarketData
import Upstream

/// The state of the upload: the rows that were uploaded, and the failures that stop a stream, or all of them.
public struct SyncStatus: Sendable, Equatable {
    /// The counts since the process started.
    public private(set) var totals = UploadTotals()
    /// When a pass last ended with everything upstream.
    public private(set) var lastSuccess: ContinuousClock.Instant?
    /// The failures of single streams; the other streams go on.
    public private(set) var failures: [EventStream: LastingFailure] = [:]
    /// The failure that stops all streams.
    private(set) var problem: LastingFailure?

    /// When the next pass begins; `nil` while one is under way.
    public internal(set) var nextPass: ContinuousClock.Instant?

    /// The description of uploaded rows that are gone, by stream.
    private(set) var missing: [EventStream: String] = [:]

    private var missingSince: ContinuousClock.Instant?
    private var before = UploadTotals()

    /// Returns this status with the failure that stops all streams listed as the failure of each of these streams.
    func ofStreams(_ streams: [EventStream]) -> SyncStatus {
        guard let problem else { return self }
        var result = self
        for stream in streams where failures[stream] == nil { result.failures[stream] = problem }
        result.problem = nil
        return result
    }

    /// Returns this status combined with that of another database's upload.
    func joined(with other: SyncStatus) -> SyncStatus {
        var sum = self
        sum.totals = totals + other.totals
        sum.lastSuccess = lastSuccess.flatMap { mine in other.lastSuccess.map { min(mine, $0) } }
        sum.nextPass = nextPass.flatMap { mine in other.nextPass.map { min(mine, $0) } }
        sum.failures.merge(other.failures) { $1 }
        sum.missing.merge(other.missing) { $1 }
        sum.missingSince = [missingSince, other.missingSince].compactMap(\.self).min()
        return sum
    }

    /// All failures in one, with each stream named; `nil` when nothing is wrong.
    public var failure: LastingFailure? {
        if let problem { return problem }
        let failures = EventStream.allCases.compactMap { stream in self.failures[stream].map { (stream, $0) } }
        let gone = EventStream.allCases.compactMap { missing[$0] }
        guard let since = (failures.map(\.1.since) + [missingSince].compactMap(\.self)).min() else { return nil }
        return LastingFailure(
            description: (failures.map { "\($0.rawValue): \($1.description)" } + gone).joined(separator: "; "),
            needsPerson: !gone.isEmpty || failures.contains { $1.needsPerson }, since: since)
    }

    /// Takes the counts of the pass under way.
    ///
    /// Uploaded rows end their stream's failure at once, not only when the pass ends.
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

    /// Notes a failure of one stream, or of all when `stream` is `nil`.
    public mutating func failed(
        _ stream: EventStream?, _ description: String, needsPerson: Bool, at now: ContinuousClock.Instant
    ) {
        let last = if let stream { failures[stream] } else { problem }
        let failure = LastingFailure(description: description, needsPerson: needsPerson, after: last, at: now)
        if let stream { failures[stream] = failure } else { problem = failure }
    }
}
