public import MarketData

/// The buffer file that rows come from, as the ledger's protocol needs it: what it knows of its uploads, and the rows
/// that it still has. See docs/design/ledger.md.
public protocol UploadFile: Sendable {
    /// The identifiers and transactions of the file.
    var line: UploadLine { get }

    /// How far a stream's uploads are.
    func marks(of stream: EventStream) -> UploadMarks

    /// At most `limit` rows after one sequence and through another, uploaded or not; the sequence through which they
    /// are all that the file has; and whether what follows can't be read.
    func rows(
        of stream: EventStream, after: Int64, through: Int64, limit: Int
    ) async throws -> (batch: BufferedBatch, end: Int64, isCut: Bool)

    /// The rows after one sequence and through another that upstream refused.
    func refusedRows(of stream: EventStream, after: Int64, through: Int64) async throws -> [ClosedRange<Int64>]

    /// The rows that the file counts as lost upstream, from the first through the last; `nil` if there are none.
    func lostRows(of stream: EventStream) async throws -> ClosedRange<Int64>?

    /// Stores a transaction before its COMMIT is sent; durable on return.
    func prepare(_ move: UploadMove) async throws

    /// Notes that rows are upstream.
    func acknowledge(_ stream: EventStream, through sequence: Int64) async throws

    /// Makes rows after a sequence wait again, and counts those that the file no longer has; durable on return.
    func takeBack(_ stream: EventStream, to sequence: Int64) async throws

    /// Forgets earlier identifiers.
    func forget(_ ids: [String], of stream: EventStream) async throws
}

/// Rows that come from no file; all that is known about them is what this uploader itself did.
final class NoFile: UploadFile {
    let line: UploadLine

    init(id: String) { line = UploadLine(id: id) }

    func marks(of stream: EventStream) -> UploadMarks { UploadMarks() }
    func rows(
        of stream: EventStream, after: Int64, through: Int64, limit: Int
    ) -> (batch: BufferedBatch, end: Int64, isCut: Bool) {
        (BufferedBatch(stream: stream), through, false)
    }
    func refusedRows(of stream: EventStream, after: Int64, through: Int64) -> [ClosedRange<Int64>] { [] }
    func lostRows(of stream: EventStream) -> ClosedRange<Int64>? { nil }
    func prepare(_ move: UploadMove) {}
    func acknowledge(_ stream: EventStream, through sequence: Int64) {}
    func takeBack(_ stream: EventStream, to sequence: Int64) {}
    func forget(_ ids: [String], of stream: EventStream) {}
}
