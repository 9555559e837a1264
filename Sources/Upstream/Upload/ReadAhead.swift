import MarketData

/// Reads and prepares the next batch while the current one is sent. Holds one batch at most.
///
/// Used only by the upload that it reads for; the reading itself runs on Swift's pool.
final class ReadAhead<Source: UploadSource> {
    private let source: Source
    private let prepare: @Sendable (BufferedBatch) -> UploadParcel
    private var task: Task<UploadParcel?, any Error>

    /// Starts with the first batch.
    init(_ source: Source, prepare: @escaping @Sendable (BufferedBatch) -> UploadParcel) {
        self.source = source
        self.prepare = prepare
        task = Self.reading(source, after: [], prepare)
    }

    /// The batch that was read, or the error of reading it or of the report before it.
    func parcel(isolation: isolated (any Actor)? = #isolation) async -> Result<UploadParcel?, any Error> {
        await task.result
    }

    /// Reports settled batches to the source and reads the next batch.
    func readOn(after settled: [SettledBatch]) {
        task = Self.reading(source, after: settled, prepare)
    }

    private static func reading(
        _ source: Source, after settled: [SettledBatch], _ prepare: @escaping @Sendable (BufferedBatch) -> UploadParcel
    ) -> Task<UploadParcel?, any Error> {
        Task {
            for batch in settled { try await source.settled(batch) }
            return try await source.nextBatch().map(prepare)
        }
    }
}
