public import MarketData

/// Supplies the rows of an upload, and records what becomes of them.
///
/// ``Uploader/drain(_:of:)`` calls one method at a time, except that the next batch may be read, and a failed stream
/// reported, while another batch is sent.
public protocol UploadSource: Sendable {
    /// The next batch, of any stream; `nil` when there is none. Within a stream, sequences grow from call to call.
    func nextBatch() async throws -> BufferedBatch?

    /// Keeps rows that the server refuses. They must be durable on return, because the COMMIT that moves past them
    /// follows. If the answer to that COMMIT is lost, the same rows may come again.
    func keep(_ refused: [DeadLetter]) async throws

    /// Called when a batch is upstream: its COMMIT was answered, or the ledger confirms it.
    func settled(_ batch: SettledBatch) async throws

    /// Called when a stream can't continue for now. Its unsettled batches are not upstream, and this drain sends no
    /// more of them.
    func failed(_ stream: EventStream, _ error: UpstreamError) async
}

/// A batch that is upstream.
public struct SettledBatch: Sendable {
    /// The batch's stream.
    public let stream: EventStream
    /// The batch's last sequence.
    public let last: Int64
    /// The number of rows in the batch.
    public let rows: Int
    /// What became of them.
    public let outcome: UploadOutcome
    /// How long the server took for them; 0 if they went in parts.
    public let took: Duration
}
