import MarketData

/// Reads the next batch and makes it ready while the present one is sent. Holds one batch at most.
///
/// Belongs to the upload that it reads for; the reading itself runs on Swift's pool.
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

    /// What was read; an error of the report before comes out here as well.
    func parcel(isolation: isolated (any Actor)? = #isolation) async -> Result<UploadParcel?, any Error> {
        await task.result
    }

    /// Lets the source know of settled batches and reads on.
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
