/// How the upload stands.
public struct SyncStatus: Sendable {
    /// A failure that lasts.
    public struct Failure: Sendable {
        /// What went wrong and what to do, in one line.
        public let description: String
        /// Whether a person must mend it.
        public let needsPerson: Bool
        /// When it began.
        public let since: ContinuousClock.Instant
    }

    /// Rows settled upstream since the process started.
    public private(set) var rows = 0
    /// Rows refused upstream since the process started.
    public private(set) var refused = 0
    /// When a pass last found everything upstream.
    public private(set) var lastSuccess: ContinuousClock.Instant?
    /// The failure under way, if any.
    public private(set) var failure: Failure?

    private var underWay = UploadTotals()

    mutating func progressed(_ totals: UploadTotals) {
        rows += totals.rows - underWay.rows
        refused += totals.refused - underWay.refused
        underWay = totals
    }

    mutating func succeeded(_ totals: UploadTotals, at now: ContinuousClock.Instant) {
        progressed(totals)
        underWay = UploadTotals()
        lastSuccess = now
        failure = nil
    }

    mutating func failed(_ description: String, needsPerson: Bool, at now: ContinuousClock.Instant) {
        underWay = UploadTotals()
        failure = Failure(description: description, needsPerson: needsPerson, since: failure?.since ?? now)
    }
}
