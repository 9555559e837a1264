import GRDB
import MarketData

/// Spans of sequences, joined where they touch.
struct SequenceSpans {
    private let spans: [ClosedRange<Int64>]

    init(_ spans: [ClosedRange<Int64>]) {
        var joined: [ClosedRange<Int64>] = []
        for span in spans.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = joined.last, last.upperBound == .max || span.lowerBound <= last.upperBound + 1 {
                joined[joined.count - 1] = last.lowerBound...max(last.upperBound, span.upperBound)
            } else {
                joined.append(span)
            }
        }
        self.spans = joined
    }

    /// Reads which of a stream's numbers `drops` says the file lacks.
    static func dropped(of stream: EventStream, _ database: Database) throws -> [ClosedRange<Int64>] {
        try drops(of: stream, where: DropReason.explainsHole, database)
    }

    /// Reads which of a stream's rows are counted as lost upstream.
    static func lostUpstream(of stream: EventStream, _ database: Database) throws -> [ClosedRange<Int64>] {
        try drops(of: stream, where: "reason = '\(DropReason.upstreamLost.rawValue)'", database)
    }

    /// Reads which of a stream's numbers `drops` accounts for otherwise: upstream can't lose rows that it never had, nor
    /// those that have moved to other numbers.
    static func neverUpstream(of stream: EventStream, _ database: Database) throws -> [ClosedRange<Int64>] {
        try drops(of: stream, where: DropReason.namesAbsent, database)
    }

    private static func drops(
        of stream: EventStream, where condition: String, _ database: Database
    ) throws -> [ClosedRange<Int64>] {
        try Row.fetchAll(
            database, sql: "SELECT first_seq, last_seq FROM drops WHERE stream = ? AND \(condition)",
            arguments: [stream.rawValue]
        ).compactMap { Cells($0).sequences("first_seq", "last_seq") }
    }

    /// The numbers between those of two rows that follow one another; `nil` if there are none. In a damaged file, the
    /// rows may have any numbers, in any order.
    static func hole(after previous: Int64, before next: Int64) -> ClosedRange<Int64>? {
        next > previous && next - 1 > previous ? previous + 1...next - 1 : nil
    }

    /// Reads all rows of a stream to find the numbers after the deleted ones that no row has, although no drop explains
    /// that.
    static func unexplained(
        in stream: EventStream, _ marks: UploadMarks, _ database: Database
    ) throws -> [ClosedRange<Int64>] {
        var holes: [ClosedRange<Int64>] = []
        var previous = marks.deleted
        let rows = try PreparedStatement(reading: "SELECT seq FROM \(stream.rawValue) ORDER BY seq", on: database)
        try rows.forEach { row in
            let sequence = row.integer(0) ?? previous
            if let hole = Self.hole(after: previous, before: sequence) { holes.append(hole) }
            previous = sequence
        }
        if marks.acknowledged > previous { holes.append(previous + 1...marks.acknowledged) }
        let accounted = SequenceSpans(try dropped(of: stream, database))
        return holes.filter { !accounted.cover($0) }
    }

    /// The parts of a range that are not in the spans.
    func missing(in range: ClosedRange<Int64>) -> [ClosedRange<Int64>] {
        var parts: [ClosedRange<Int64>] = []
        var next = range.lowerBound
        for span in spans where span.overlaps(range) {
            if span.lowerBound > next { parts.append(next...span.lowerBound - 1) }
            guard span.upperBound < range.upperBound else { return parts }
            next = span.upperBound + 1
        }
        parts.append(next...range.upperBound)
        return parts
    }

    /// Whether every sequence of a range is in the spans.
    func cover(_ range: ClosedRange<Int64>) -> Bool {
        let place = spans.partitioningIndex { $0.upperBound >= range.upperBound }
        return place < spans.endIndex && spans[place].lowerBound <= range.lowerBound
    }
}
