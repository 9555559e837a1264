public import Logging
import MarketData
public import ServiceLifecycle
public import Store
import Synchronization
public import Upstream

/// The sync task of `run`: a pass every interval, on request, and once more at shutdown.
///
/// Failures never end it: collection goes on, and so do the tries, at the pace that ``SyncPolicy`` sets.
public final class SyncService: Service {
    /// How long a shutdown waits for a pass under way and the last one together. What is not upstream by then goes up
    /// after the next start.
    public static let shutdownLimit: Duration = .seconds(5)

    private let pass: UploadPass
    private let buffer: TickBuffer
    private let uploader: Uploader
    private let interval: Duration
    private let logger: Logger
    private let doorbell = Doorbell()
    private let work = Mutex(Work())
    private let current = Mutex(SyncStatus())

    private struct Work {
        var isStopping = false
        /// Whether the time that a shutdown has is used up.
        var isOver = false
        var pass: Task<UploadTotals, any Error>?
    }

    /// A service that uploads `buffer` through `uploader` every `interval`, at most `batchRows` rows a transaction.
    public init(buffer: TickBuffer, uploader: Uploader, interval: Duration, batchRows: Int, logger: Logger) {
        self.buffer = buffer
        self.uploader = uploader
        self.interval = interval
        self.logger = logger
        pass = UploadPass(buffer: buffer, uploader: uploader, batchRows: batchRows)
    }

    /// How the upload stands, from memory.
    public var status: SyncStatus { current.withLock { $0 } }

    /// Starts a pass now instead of after the interval.
    public func pushNow() { doorbell.ring() }

    /// Uploads until graceful shutdown, then once more, all within ``shutdownLimit``.
    public func run() async throws {
        await withGracefulShutdownHandler {
            await passes()
        } onGracefulShutdown: { [self] in
            work.withLock { $0.isStopping = true }
            doorbell.ring()
            Task {
                try? await Task.sleep(for: Self.shutdownLimit)
                let pass = work.withLock { work in
                    work.isOver = true
                    return work.pass
                }
                pass?.cancel()
            }
        }
    }

    private func passes() async {
        var policy = SyncPolicy(interval: interval)
        var failures = RepeatedFailure<ContinuousClock.Instant>()
        while !work.withLock({ $0.isStopping }), !Task.isCancelled {
            let outcome = await onePass(&failures)
            guard !work.withLock({ $0.isStopping }) else { break }
            await doorbell.sleep(upTo: policy.wait(after: outcome, jitter: .random(in: 0...1)))
        }
        if status.failure == nil, !work.withLock({ $0.isOver }), (try? await buffer.flush()) != nil {
            _ = await onePass(&failures)
        }
        let left = buffer.statistics.pending
        if left > 0 {
            logger.warning(
                "not everything is uploaded; the rest goes up after the next start", metadata: ["rows": "\(left)"])
        }
        await uploader.disconnect()
    }

    private func onePass(_ failures: inout RepeatedFailure<ContinuousClock.Instant>) async -> SyncPolicy.Outcome {
        let task = Task { [self] in
            try await pass.run { totals in self.current.withLock { $0.progressed(totals) } }
        }
        let isOver = work.withLock { work in
            work.pass = task
            return work.isOver
        }
        // The time may have run out while the buffer was flushed.
        if isOver { task.cancel() }
        defer { work.withLock { $0.pass = nil } }
        do {
            let totals = try await task.value
            current.withLock { $0.succeeded(totals, at: .now) }
            if failures.ended() { logger.notice("the upload works again") }
            if totals.refused > 0 {
                logger.error(
                    "upstream refused rows; they are kept as dead letters (see table dead_letters)",
                    metadata: ["rows": "\(totals.refused)"])
            }
            if totals.rows > 0 {
                logger.debug("uploaded", metadata: ["rows": "\(totals.rows)", "batches": "\(totals.batches)"])
            }
            return .drained
        } catch {
            return failed(error, &failures)
        }
    }

    private func failed(_ error: any Error, _ failures: inout RepeatedFailure<ContinuousClock.Instant>)
        -> SyncPolicy.Outcome
    {
        guard !task(isCancelledBy: error) else { return .failedForNow }
        let needsPerson = Self.needsPerson(error)
        let description = String(describing: error)
        current.withLock { $0.failed(description, needsPerson: needsPerson, at: .now) }
        if let occurrences = failures.occurred(description, now: .now) {
            logger.error(
                needsPerson
                    ? "the upload is paused until this is mended; collection goes on"
                    : "the upload failed and is tried again; collection goes on",
                metadata: ["error": "\(description)", "occurrences": "\(occurrences)"])
        }
        return needsPerson ? .paused : .failedForNow
    }

    private func task(isCancelledBy error: any Error) -> Bool {
        if let error = error as? UpstreamError { return error.reason == .cancelled }
        return error is CancellationError
    }

    private static func needsPerson(_ error: any Error) -> Bool {
        switch error {
        case let error as UpstreamError: !error.isRetryable
        case let error as StoreError: error.reason == .sequenceAhead
        default: false
        }
    }
}
