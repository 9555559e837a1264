public import Logging
import MarketData
public import ServiceLifecycle
public import Store
import Synchronization
public import Upstream

/// The upload of `run`: a pass every interval, on request, and once more at shutdown.
///
/// A failure never ends it: collection and the other streams continue, and what failed is retried at the pace that
/// ``SyncSchedule`` sets.
public final class SyncService: Service {
    /// How long a shutdown waits for a pass under way and the last one together. Rows that are not upstream by then are
    /// uploaded after the next start.
    static let shutdownLimit: Duration = .seconds(5)

    private let pass: UploadPass
    private let buffer: TickBuffer
    private let uploader: Uploader
    /// The time between two passes while all goes well.
    public let interval: Duration
    /// The longest that a pass spends on a backlog. A stream that failed is reported and retried only after the pass ends.
    private let longestPass: Duration
    /// Whether triggers that keep rows out of their tables are no problem (`SYNC_KEPT_OUT_INTENDED`).
    let keepsOutOnPurpose: Bool
    private let logger: Logger
    private let doorbell = Doorbell()
    private let work = Mutex(Work())
    private let current = Mutex(SyncStatus())
    private let interludes = Interludes()

    private struct Work {
        var isStopping = false
        /// Whether the time for the shutdown is used up.
        var isOver = false
        var pass: Task<UploadReport, Never>?
        /// The callers that wait for the next pass, or for the end of what it begins.
        var waiting: [Int: Waiter] = [:]
        var tickets = 0
        var hasEnded = false
    }

    private typealias Failures = LogThrottle<EventStream?, ContinuousClock.Instant>

    private struct Waiter {
        let continuation: CheckedContinuation<UploadReport?, Never>
        /// The sum of the passes so far, which were cut short.
        var report: UploadReport?
    }

    /// Makes a service that uploads `buffer` every `interval`, in the streams that `uploader`'s database holds; for the
    /// rows per transaction see ``UploadPass``.
    public init(
        buffer: TickBuffer, uploader: Uploader, interval: Duration, batchRows: Int, mostRows: Int? = nil,
        longestPass: Duration = .seconds(10), keepsOutOnPurpose: Bool = false, logger: Logger
    ) {
        self.buffer = buffer
        self.uploader = uploader
        self.interval = interval
        self.longestPass = longestPass
        self.keepsOutOnPurpose = keepsOutOnPurpose
        self.logger = logger
        pass = UploadPass(buffer: buffer, uploader: uploader, batchRows: batchRows, mostRows: mostRows)
    }

    /// The database that it uploads to.
    public var role: UpstreamRole { uploader.configuration.role }

    var streams: [EventStream] { pass.streams }

    /// The state of the upload, from memory.
    public var status: SyncStatus { current.withLock { $0 } }

    /// Starts a pass now instead of after the interval.
    public func pushNow() { doorbell.ring() }

    /// Starts a pass now, which uploads what the buffer holds now, and waits for its end.
    ///
    /// - Returns: The pass's report; `nil` when the service has ended or the wait was cancelled.
    public func pass() async -> UploadReport? {
        let ticket = work.withLock { work in
            work.tickets += 1
            return work.tickets
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isWaiting = work.withLock { work in
                    guard !work.hasEnded, !Task.isCancelled else { return false }
                    work.waiting[ticket] = Waiter(continuation: continuation)
                    return true
                }
                if isWaiting { pushNow() } else { continuation.resume(returning: nil) }
            }
        } onCancel: {
            work.withLock { $0.waiting.removeValue(forKey: ticket) }?.continuation.resume(returning: nil)
        }
    }

    /// Puts dead letters of its streams back into the queue to be sent, as `edgetick dead-letters retry` does without a
    /// collector, and returns when they are in the queue. The pass under way ends after its batch to make room.
    ///
    /// - Throws: `StoreError`, `UpstreamError`, ``DeadLettersMissing``, and `CancellationError` when the task was
    ///   cancelled or the service ended before the file was changed. Nothing is changed then.
    public func retry(_ choice: DeadLetterChoice) async throws -> DeadLetterRetry {
        try await interludes.run(ring: doorbell.ring) { [self] in
            let (retry, _) = try await DeadLetterRetry.requeue(
                choice.letters(in: buffer, of: pass.streams), buffer: buffer, passes: [pass])
            logger.notice(
                "dead letters are back in the queue",
                metadata: ["rows": "\(retry.requeued)", "upstream_already": "\(retry.stored)"])
            return retry
        }
    }

    /// Deletes dead letters for good, as `edgetick dead-letters discard` does without a collector, and returns them.
    ///
    /// - Throws: The same as ``retry(_:)``.
    public func discard(_ choice: DeadLetterChoice) async throws -> DeadLetterDiscard {
        try await interludes.run(ring: doorbell.ring) { [self] in
            try await DeadLetterRetry.discard(
                choice.letters(in: buffer, of: pass.streams), buffer: buffer, passes: [pass])
        }
    }

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
        var schedule = SyncSchedule(pass.streams, interval: interval)
        var failures = Failures()
        var isAsked = false
        while !work.withLock({ $0.isStopping }), !Task.isCancelled {
            await interludes.carryOut()
            let began = ContinuousClock.now
            let waiting = takeWaiting()
            // Somebody may have asked since the doorbell rang, or in its place.
            let isAskedFor = isAsked || waiting.values.contains { $0.report == nil }
            let streams = schedule.due(at: began, isAsked: isAskedFor)
            let result = await onePass(streams, schedule.failing, for: waiting, &failures)
            guard !work.withLock({ $0.isStopping }) else { break }
            let wait = schedule.wait(
                after: result, of: streams, at: .now, took: .now - began, jitter: .random(in: 0...1))
            current.withLock { $0.nextPass = .now + wait }
            isAsked = await doorbell.sleep(upTo: wait)
            current.withLock { $0.nextPass = nil }
        }
        interludes.end()
        let working = pass.streams.filter { status.failures[$0] == nil }
        if status.problem == nil, !working.isEmpty, !work.withLock({ $0.isOver }), (try? await buffer.flush()) != nil {
            _ = await onePass(working, [], for: takeWaiting(), &failures)
        }
        let statistics = buffer.statistics
        let left = pass.streams.reduce(0) { $0 + statistics[$1].pending }
        if left > 0 {
            logger.warning(
                "not everything is uploaded; the rest is uploaded after the next start", metadata: ["rows": "\(left)"])
        }
        await uploader.disconnect()
        work.withLock { $0.hasEnded = true }
        for waiter in takeWaiting().values { waiter.continuation.resume(returning: nil) }
    }

    /// Takes the callers that wait for the next pass.
    private func takeWaiting() -> [Int: Waiter] {
        work.withLock { work in
            defer { work.waiting = [:] }
            return work.waiting
        }
    }

    private func onePass(
        _ streams: [EventStream], _ failing: Set<EventStream>, for waiting: [Int: Waiter], _ failures: inout Failures
    ) async -> SyncSchedule.Result {
        let task = Task { [self] in
            await pass.report(of: streams, failing: failing, within: self.longestPass) { moved in
                self.current.withLock { $0.progressed(moved) }
            } until: {
                !self.interludes.isEmpty
            }
        }
        let isOver = work.withLock { work in
            work.pass = task
            return work.isOver
        }
        // The time may have run out while the buffer was flushed.
        if isOver { task.cancel() }
        defer { work.withLock { $0.pass = nil } }
        let report = await task.value
        // Whoever waited finds the pass in the status too.
        defer { resume(waiting, with: report, of: streams) }
        current.withLock { $0.passed(report, of: streams, at: .now) }
        log(report.totals)
        if let problem = report.problem { return .failed(failed(nil, problem, &failures)) }
        if failures.ended(nil) { logger.notice("the upload works again") }
        var outcomes: [EventStream: SyncPolicy.Outcome] = [:]
        for stream in streams {
            if let failure = report.failures[stream] {
                outcomes[stream] = failed(stream, failure, &failures)
            } else if failures.ended(stream) {
                logger.notice("the upload works again", metadata: ["stream": "\(stream.rawValue)"])
            }
        }
        return .passed(failures: outcomes, isCutShort: report.isCutShort)
    }

    /// Hands the report to the callers that wait for it. After a pass that was cut short they wait for the next one.
    private func resume(_ waiting: [Int: Waiter], with report: UploadReport, of streams: [EventStream]) {
        for (ticket, waiter) in waiting {
            var sum = report
            if let before = waiter.report {
                sum.totals = before.totals + report.totals
                sum.failures.merge(before.failures.filter { !streams.contains($0.key) }) { $1 }
            }
            let isBack = work.withLock { work in
                guard report.isCutShort, report.problem == nil, !work.hasEnded, !work.isStopping else { return false }
                work.waiting[ticket] = Waiter(continuation: waiter.continuation, report: sum)
                return true
            }
            if !isBack { waiter.continuation.resume(returning: sum) }
        }
    }

    private func log(_ totals: UploadTotals) {
        for stream in EventStream.allCases where totals[stream].refused > 0 {
            logger.error(
                "the database refused rows; they are kept as dead letters (see edgetick dead-letters list)",
                metadata: ["stream": "\(stream.rawValue)", "rows": "\(totals[stream].refused)"])
        }
        if totals.rows > 0 {
            logger.debug("uploaded", metadata: ["rows": "\(totals.rows)", "batches": "\(totals.batches)"])
        }
    }

    /// Records and logs a failure of one stream, or of all streams.
    private func failed(_ stream: EventStream?, _ error: any Error, _ failures: inout Failures) -> SyncPolicy.Outcome {
        guard !(error is CancellationError), (error as? UpstreamError)?.reason != .cancelled else {
            return .failedForNow
        }
        let needsPerson =
            switch error {
            case let error as UpstreamError: !error.isRetryable
            case let error as StoreError: error.reason == .sequenceAhead
            default: false
            }
        let description = String(describing: error)
        current.withLock { $0.failed(stream, description, needsPerson: needsPerson, at: .now) }
        if let occurrences = failures.occurred(stream, description, now: .now) {
            var metadata: Logger.Metadata = ["error": "\(description)", "occurrences": "\(occurrences)"]
            if let stream { metadata["stream"] = "\(stream.rawValue)" }
            let others = stream == nil ? "collection continues" : "collection and the other streams continue"
            let news =
                needsPerson
                ? "the upload can't continue until a person fixes this; it is tried again at least once a minute"
                : "the upload failed and is tried again"
            logger.error("\(news); \(others)", metadata: metadata)
        }
        return needsPerson ? .paused : .failedForNow
    }
}
