import MarketData

/// Reads and prepares the next batch while the current one is sent. Holds one batch at most.
///
/// Used only by the upload that it reads for; the reading itself runs on Swift's pool.
final class ReadAhead {
    private let read: @Sendable ([SettledBatch]) async throws -> UploadParcel?
    private var task: Task<UploadParcel?, any Error>

    init(_ source: some UploadSource, prepare: @escaping @Sendable (BufferedBatch) -> UploadParcel) {
        let read = { @Sendable (settled: [SettledBatch]) async throws -> UploadParcel? in
            for batch in settled { try await source.settled(batch) }
            return try await source.nextBatch().map(prepare)
        }
        self.read = read
        task = Task { try await read([]) }
    }

    /// The batch that was read, or the error of reading it or of the report before it.
    func parcel(isolation: isolated (any Actor)? = #isolation) async -> Result<UploadParcel?, any Error> {
        await task.result
    }

    /// Reports settled batches to the source and reads the next batch.
    func readOn(after settled: [SettledBatch]) { task = Task { [read] in try await read(settled) } }
}
