public import Logging
public import ServiceLifecycle
import Store
import Synchronization
import Upstream

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
    private let isStopping = Mutex(false)
    private let current = Mutex(SyncStatus())

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

    /// Uploads until graceful shutdown, then once more, within ``shutdownLimit``.
    public func run() async throws {
        await withGracefulShutdownHandler {
            await passes()
        } onGracefulShutdown: {
            self.isStopping.withLock { $0 = true }
            self.doorbell.ring()
        }
    }

    private func passes() async {
        var policy = SyncPolicy(interval: interval)
        var failures = RepeatedFailure()
        while !isStopping.withLock({ $0 }), !Task.isCancelled {
            let outcome = await onePass(&failures)
            await doorbell.sleep(upTo: policy.wait(after: outcome, jitter: .random(in: 0...1)))
        }
        guard status.failure == nil else {
            logger.warning("upstream is away at shutdown; what is buffered goes up after the next start")
            return
        }
        await lastPass()
    }

    private func onePass(_ failures: inout RepeatedFailure) async -> SyncPolicy.Outcome {
        let work = Task { try await pass.run { totals in self.current.withLock { $0.progressed(totals) } } }
        do {
            let totals = try await endingAtShutdown(work)
            current.withLock { $0.succeeded(totals, at: .now) }
            if failures.succeeded() { logger.notice("the upload works again") }
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
            if error is CancellationError { return .drained }
            await uploader.disconnect()
            let needsPerson = Self.needsPerson(error)
            let description = String(describing: error)
            current.withLock { $0.failed(description, needsPerson: needsPerson, at: .now) }
            if case .log(let occurrences) = failures.failed(description, at: .now) {
                logger.error(
                    needsPerson
                        ? "the upload is paused until this is mended; collection goes on"
                        : "the upload failed and is tried again; collection goes on",
                    metadata: ["error": "\(description)", "occurrences": "\(occurrences)"])
            }
            return needsPerson ? .paused : .failedForNow
        }
    }

    /// Waits for a pass, but after a shutdown began no longer than the limit: a server that hangs must not hold up the
    /// process. An abandoned pass is settled by the ledger at the next start.
    private func endingAtShutdown(_ work: Task<UploadTotals, any Error>) async throws -> UploadTotals {
        try await withThrowingTaskGroup(of: UploadTotals?.self) { group in
            group.addTask { try await abandonable(work) }
            group.addTask {
                try? await gracefulShutdown()
                try? await Task.sleep(for: Self.shutdownLimit / 2)
                return nil
            }
            defer { group.cancelAll() }
            guard let totals = try await group.next() ?? nil else {
                work.cancel()
                throw CancellationError()
            }
            return totals
        }
    }

    private func lastPass() async {
        let work = Task {
            try await buffer.flush()
            return try await pass.run()
        }
        let end = Task {
            try? await Task.sleep(for: Self.shutdownLimit / 2)
            work.cancel()
        }
        defer { end.cancel() }
        do {
            let totals = try await withThrowingTaskGroup(of: UploadTotals?.self) { group in
                group.addTask { try await abandonable(work) }
                group.addTask {
                    await end.value
                    return nil
                }
                defer { group.cancelAll() }
                return try await group.next() ?? nil
            }
            guard let totals else {
                logger.warning("no time left to upload the rest; it goes up after the next start")
                return
            }
            current.withLock { $0.succeeded(totals, at: .now) }
        } catch {
            logger.warning("the last upload failed; what is buffered goes up after the next start")
        }
    }

    private static func needsPerson(_ error: any Error) -> Bool {
        switch error {
        case let error as UpstreamError: !error.isRetryable
        case is LedgerAhead: true
        default: false
        }
    }
}

/// Waits for `work` and gives up waiting, but not the work, when the waiting task is cancelled.
private func abandonable<Success: Sendable>(_ work: Task<Success, any Error>) async throws -> Success {
    let (results, continuation) = AsyncThrowingStream.makeStream(of: Success.self)
    let forwarding = Task {
        do {
            continuation.yield(try await work.value)
            continuation.finish()
        } catch {
            continuation.finish(throwing: error)
        }
    }
    defer { forwarding.cancel() }
    for try await result in results { return result }
    throw CancellationError()
}
