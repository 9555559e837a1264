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

        fileprivate static func += (sum: inout Counts, other: Counts) {
            sum.uploaded += other.uploaded
            sum.new += other.new
            sum.present += other.present
            sum.refused += other.refused
            sum.keptOut += other.keptOut
            sum.batches += other.batches
        }
    }

    private var streams: [EventStream: Counts] = [:]

    /// The counts of one stream.
    public subscript(stream: EventStream) -> Counts {
        get { streams[stream] ?? Counts() }
        set { streams[stream] = newValue }
    }

    private var all: Counts { streams.values.reduce(into: Counts()) { $0 += $1 } }

    /// Rows of all streams that are upstream. A row that was refused is not.
    public var rows: Int { all.uploaded }
    /// Those of ``rows`` that were new upstream.
    public var new: Int { all.new }
    /// Those of ``rows`` that were upstream already.
    public var present: Int { all.present }
    /// Rows of all streams that went to the dead letters.
    public var refused: Int { all.refused }
    /// Rows of all streams that a trigger kept out of their table.
    public var keptOut: Int { all.keptOut }
    /// Batches of all streams.
    public var batches: Int { all.batches }
    /// Rows of all streams that have left the queue: uploaded, refused or kept out.
    public var settled: Int { rows + refused + keptOut }

    mutating func add(_ batch: SettledBatch) {
        let outcome = batch.outcome
        self[batch.stream] += Counts(
            uploaded: batch.rows - outcome.refused - outcome.keptOut, new: outcome.new, present: outcome.present,
            refused: outcome.refused, keptOut: outcome.keptOut, batches: 1)
    }

    /// Returns the sum of both.
    public static func + (left: UploadTotals, right: UploadTotals) -> UploadTotals {
        var sum = left
        for (stream, counts) in right.streams { sum[stream] += counts }
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
