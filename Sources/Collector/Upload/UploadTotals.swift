public import MarketData
public import Upstream

/// What an upload has moved so far.
public struct UploadTotals: Sendable, Equatable {
    /// What became of one stream's rows.
    public struct Counts: Sendable, Equatable {
        /// Rows that are upstream.
        public var uploaded = 0
        /// Rows that went to the dead letters.
        public var refused = 0
        /// Rows that a trigger of their table kept out of it.
        public var keptOut = 0
        /// Batches sent.
        public var batches = 0
    }

    private var streams: [EventStream: Counts] = [:]

    /// One stream's.
    public subscript(stream: EventStream) -> Counts {
        get { streams[stream] ?? Counts() }
        set { streams[stream] = newValue }
    }

    /// Rows of all streams that are upstream. A row that was refused is not.
    public var rows: Int { streams.values.reduce(0) { $0 + $1.uploaded } }
    /// Rows of all streams that went to the dead letters.
    public var refused: Int { streams.values.reduce(0) { $0 + $1.refused } }
    /// Rows of all streams that a trigger of their table kept out of it.
    public var keptOut: Int { streams.values.reduce(0) { $0 + $1.keptOut } }
    /// Batches of all streams.
    public var batches: Int { streams.values.reduce(0) { $0 + $1.batches } }
    /// Rows of all streams that the queue has done with: uploaded, refused or kept out.
    public var settled: Int { rows + refused + keptOut }

    mutating func add(_ batch: SettledBatch) {
        self[batch.stream].batches += 1
        self[batch.stream].uploaded += batch.rows - batch.outcome.refused - batch.outcome.keptOut
        self[batch.stream].refused += batch.outcome.refused
        self[batch.stream].keptOut += batch.outcome.keptOut
    }

    /// What both moved.
    public static func + (left: UploadTotals, right: UploadTotals) -> UploadTotals {
        var sum = left
        for (stream, counts) in right.streams {
            sum[stream].uploaded += counts.uploaded
            sum[stream].refused += counts.refused
            sum[stream].keptOut += counts.keptOut
            sum[stream].batches += counts.batches
        }
        return sum
    }
}

/// How a pass ended.
public struct UploadReport: Sendable {
    /// What it moved.
    public internal(set) var totals = UploadTotals()
    /// What keeps streams from going on; the others came to their end.
    public internal(set) var failures: [EventStream: UpstreamError] = [:]
    /// Rows that were uploaded and are gone, in words.
    public internal(set) var missing: [EventStream: String] = [:]
    /// Whether it ended before its time, so that something else could be done.
    var isCutShort = false
    /// What ended the pass for all streams, if anything did.
    public internal(set) var problem: (any Error)?

    /// The report of a pass that has done nothing.
    public init() {}

    /// Adds what a pass to another database did.
    public mutating func add(_ other: UploadReport) {
        totals = totals + other.totals
        failures.merge(other.failures) { $1 }
        missing.merge(other.missing) { $1 }
        problem = problem ?? other.problem
    }

    /// - Throws: What went wrong: of several streams, the first one's failure.
    func get() throws -> UploadTotals {
        if let problem { throw problem }
        for stream in EventStream.allCases {
            if let failure = failures[stream] { throw failure }
        }
        return totals
    }
}
