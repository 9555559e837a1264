public import MarketData

/// Where an upload's rows come from, and who keeps what becomes of them.
///
/// ``Uploader/drain(_:)`` calls one method at a time, except that the next batch is read, and a failed stream named,
/// while another batch is sent.
public protocol UploadSource: Sendable {
    /// The next batch, of any stream; `nil` when there is none. Within a stream, sequences grow from call to call.
    func nextBatch() async throws -> BufferedBatch?

    /// Keeps rows that the server will not take; they must be durable on return, because the COMMIT that moves past
    /// them follows. After a lost answer to that COMMIT the same rows may come again.
    func keep(_ refused: [RefusedRow], of stream: EventStream) async throws

    /// Hears that a batch is upstream: its COMMIT has been answered, or the ledger says so.
    func settled(_ batch: SettledBatch) async throws

    /// Hears that a stream can't go on for now. Batches of it that were not settled are not upstream, and no more of them
    /// are sent by this drain.
    func failed(_ stream: EventStream, _ error: UpstreamError) async
}

/// A batch that is upstream.
public struct SettledBatch: Sendable {
    /// The batch's stream.
    public let stream: EventStream
    /// The batch's last sequence.
    public let last: Int64
    /// How many rows the batch had.
    public let rows: Int
    /// What became of them.
    public let outcome: UploadOutcome
    /// How long the server took for them; 0 where they went in parts.
    public let took: Duration
}
