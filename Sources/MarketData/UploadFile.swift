/// The buffer file as the ledger's protocol sees it: its records of its own uploads, and the rows that it still has. See
/// docs/design/ledger.md.
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

    /// Rows after one sequence and through another that upstream may have refused; it is no longer known which.
    func possiblyRefusedRows(of stream: EventStream, after: Int64, through: Int64) async throws -> Set<Int64>

    /// The rows that the file counts as lost upstream, from the first through the last; `nil` if there are none.
    func lostRows(of stream: EventStream) async throws -> ClosedRange<Int64>?

    /// Stores a transaction before its COMMIT is sent; durable on return.
    func prepare(_ move: UploadMove) async throws

    /// Notes that rows are upstream; a sequence that is no greater than the last one changes nothing.
    func acknowledge(_ stream: EventStream, through sequence: Int64) async throws

    /// Makes each stream's rows after the sequence that the ledger has wait for upload again, and counts those that the
    /// file no longer has; durable on return.
    ///
    /// - Parameter uncertain: the streams of which some of the rows that wait then may be upstream: see
    ///   ``UploadMarks/sentAgain``.
    func agree(withLedger uploaded: [EventStream: Int64], uncertain: Set<EventStream>) async throws

    /// Forgets earlier identifiers.
    func forget(_ ids: [String], of stream: EventStream) async throws
}
