public import MarketData
public import Upstream

/// The counts of an upload's rows so far.
public struct UploadTotals: Sendable, Equatable {
    /// The counts of one stream's rows.
    public struct Counts: Sendable, Equatable {
        /// Rows that are upstream.
        public var uploaded = 0
        /// Those of them that were new upstream: rows, and versions of bars.
        public var new = 0
        /// Those of them that were upstream already, or of whose bar a newer version was. The others are versions of bars
        /// that came with a newer one.
        public var present = 0
        /// Rows that went to the dead letters.
        public var refused = 0
        /// Rows that a trigger kept out of their table.
        public var keptOut = 0
        /// Batches sent.
        public var batches = 0
    }

    private var streams: [EventStream: Counts] = [:]

    /// The counts of one stream.
    public subscript(stream: EventStream) -> Counts {
        get { streams[stream] ?? Counts() }
        set { streams[stream] = newValue }
    }

    /// Rows of all streams that are upstream. A row that was refused is not.
    public var rows: Int { streams.values.reduce(0) { $0 + $1.uploaded } }
    /// Those of ``rows`` that were new upstream.
    public var new: Int { streams.values.reduce(0) { $0 + $1.new } }
    /// Those of ``rows`` that were upstream already.
    public var present: Int { streams.values.reduce(0) { $0 + $1.present } }
    /// Rows of all streams that went to the dead letters.
    public var refused: Int { streams.values.reduce(0) { $0 + $1.refused } }
    /// Rows of all streams that a trigger kept out of their table.
    public var keptOut: Int { streams.values.reduce(0) { $0 + $1.keptOut } }
    /// Batches of all streams.
    public var batches: Int { streams.values.reduce(0) { $0 + $1.batches } }
    /// Rows of all streams that have left the queue: uploaded, refused or kept out.
    public var settled: Int { rows + refused + keptOut }

    mutating func add(_ batch: SettledBatch) {
        self[batch.stream].batches += 1
        self[batch.stream].uploaded += batch.rows - batch.outcome.refused - batch.outcome.keptOut
        self[batch.stream].new += batch.outcome.new
        self[batch.stream].present += batch.outcome.present
        self[batch.stream].refused += batch.outcome.refused
        self[batch.stream].keptOut += batch.outcome.keptOut
    }

    /// Returns the sum of both.
    public static func + (left: UploadTotals, right: UploadTotals) -> UploadTotals {
        var sum = left
        for (stream, counts) in right.streams {
            sum[stream].uploaded += counts.uploaded
            sum[stream].new += counts.new
            sum[stream].present += counts.present
            sum[stream].refused += counts.refused
            sum[stream].keptOut += counts.keptOut
            sum[stream].batches += counts.batches
        }
        return sum
    }
}

/// The result of a pass.
public struct UploadReport: Sendable {
    /// What the pass did.
    public internal(set) var totals = UploadTotals()
    /// The failures that stopped single streams; they don't stop the other streams.
    public internal(set) var failures: [EventStream: UpstreamError] = [:]
    /// The description of uploaded rows that are gone, by stream.
    public internal(set) var missing: [EventStream: String] = [:]
    /// Whether the pass ended with rows left, at its time limit or so that other work could run.
    var isCutShort = false
    /// What ended the pass for all streams, if anything did.
    public internal(set) var problem: (any Error)?

    /// Whether the server ended a session while rows were sent, and can't be reached since.
    public var isOfLostServer: Bool {
        (problem as? UpstreamError)?.isLostConnection == true && failures.values.contains(where: \.isLostConnection)
    }

    /// The report of a pass that has done nothing.
    public init() {}

    /// Adds the report of a pass to another database.
    public mutating func add(_ other: UploadReport) {
        totals = totals + other.totals
        failures.merge(other.failures) { $1 }
        missing.merge(other.missing) { $1 }
        problem = problem ?? other.problem
    }

    /// - Throws: What went wrong; if several streams failed, the first one's failure.
    func get() throws -> UploadTotals {
        if let problem { throw problem }
        for stream in EventStream.allCases { if let failure = failures[stream] { throw failure } }
        return totals
    }
}
