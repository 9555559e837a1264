import Dispatch
public import MarketData
public import Store
import Upstream

/// Retries and discards dead letters while the uploads run: each letter in the upload to the database that holds its
/// stream.
///
/// With two databases, one may have done its part when the other fails. Then the result reports both.
public struct DeadLetterDesk: Sendable {
    private let uploads: [SyncService]
    private let buffer: TickBuffer
    private let patience: Duration
    private let files = DispatchQueue(label: "EdgeTick.dead-letters")

    /// A desk for the letters of `buffer`.
    ///
    /// - Parameters:
    ///   - uploads: One for each database; none when nothing is uploaded.
    ///   - patience: How long the letters may wait for their turn between two passes, and for the database.
    public init(uploads: [SyncService], buffer: TickBuffer, patience: Duration) {
        self.uploads = uploads
        self.buffer = buffer
        self.patience = patience
    }

    /// Puts dead letters back into the queue to be sent, and returns when they are in the queue.
    ///
    /// - Throws: `StoreError`, `UpstreamError` and ``DeadLettersMissing``, and another error when the upload was busy for
    ///   too long or ended. Unless it is a `StoreError`, nothing is changed then.
    public func retry(_ choice: DeadLetterChoice) async throws -> DeadLetterRetry {
        let (done, failure) = try await parts(of: choice) { upload in try await upload.retry(choice) }
        var result = done.reduce(into: DeadLetterRetry()) { $0.add($1) }
        result.failure = failure
        return result
    }

    /// Deletes dead letters for good and returns them.
    ///
    /// - Throws: The same as ``retry(_:)``.
    public func discard(_ choice: DeadLetterChoice) async throws -> DeadLetterDiscard {
        guard !uploads.isEmpty else {
            return try await DeadLetterRetry.discard(choice.letters(in: buffer), buffer: buffer, passes: [])
        }
        let (done, failure) = try await parts(of: choice) { upload in try await upload.discard(choice) }
        return DeadLetterDiscard(
            letters: done.flatMap(\.letters), waiting: done.reduce(0) { $0 + $1.waiting }, failure: failure)
    }

    /// Runs the work in each upload that holds chosen letters, one after the other.
    ///
    /// - Returns: The results, and the error that stopped the second upload, if one did.
    /// - Throws: The error that stopped the first upload.
    private func parts<Part: Sendable>(
        of choice: DeadLetterChoice, _ work: @escaping @Sendable (SyncService) async throws -> Part
    ) async throws -> (done: [Part], failure: String?) {
        // All names are looked up before anything is changed: each upload looks up only its own.
        let letters = try await files.waiting { [buffer] in try choice.letters(in: buffer) }
        let end = ContinuousClock.now + patience
        var done: [Part] = []
        for upload in uploads {
            let streams = upload.streams.filter { stream in letters.contains { $0.stream == stream } }
            guard !streams.isEmpty else { continue }
            let part = Task { try await work(upload) }
            do {
                done.append(try await part.value(within: max(.zero, ContinuousClock.now.duration(to: end))))
            } catch {
                let isGivenUp = error is CancellationError || (error as? UpstreamError)?.reason == .cancelled
                let problem: any Error = isGivenUp ? UploadBusy() : error
                guard !done.isEmpty else { throw problem }
                return (done, "\(streams.map(\.rawValue).joined(separator: ", ")): \(problem)")
            }
        }
        return (done, nil)
    }
}

/// The dead letters that were deleted for good.
public struct DeadLetterDiscard: Sendable {
    /// The letters, which are gone from the file.
    public var letters: [DeadLetter]
    /// The number of other letters, which are gone too, but whose rows turned out to wait for upload and are judged
    /// again.
    public var waiting = 0
    /// With two databases, what stopped the part of the second, with its streams; `nil` when nothing did.
    public var failure: String?

    /// The result for these letters.
    public init(letters: [DeadLetter] = [], waiting: Int = 0, failure: String? = nil) {
        self.letters = letters
        self.waiting = waiting
        self.failure = failure
    }
}

/// The error of letters whose turn did not come in time, or for which the database did not answer in time.
struct UploadBusy: Error, CustomStringConvertible {
    var description: String {
        "the upload was busy for too long, its database did not answer in time, or it is stopping; try again"
    }
}
