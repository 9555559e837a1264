import MarketData

/// Decides which streams are uploaded when: each at its own pace while it has a problem, all at one pace while the
/// database has one. Reads no clock and draws no random numbers.
struct SyncSchedule {
    /// The result of a pass.
    enum Result {
        /// The streams were finished, or failed on their own; or the pass was cut short and left rows for the next one.
        case passed(failures: [EventStream: SyncPolicy.Outcome], isCutShort: Bool = false)
        /// No stream can be uploaded.
        case failed(SyncPolicy.Outcome)
    }

    private let interval: Duration
    private let streams: [EventStream]
    private var database: SyncPolicy
    private var policies: [EventStream: SyncPolicy] = [:]
    /// When streams with a problem are tried again.
    private var retries: [EventStream: ContinuousClock.Instant] = [:]

    /// A schedule that uploads these streams every `interval` while all goes well.
    init(_ streams: [EventStream], interval: Duration) {
        self.interval = interval
        self.streams = streams
        database = SyncPolicy(interval: interval)
    }

    /// The streams that failed when they were last tried.
    var failing: Set<EventStream> { Set(retries.keys) }

    /// Returns the streams to upload now; all of them when a person asked.
    func due(at now: ContinuousClock.Instant, isAsked: Bool) -> [EventStream] {
        streams.filter { stream in isAsked || retries[stream].map { $0 <= now } ?? true }
    }

    /// Takes the result of a pass over some streams.
    ///
    /// - Parameters:
    ///   - took: How long the pass took. The interval runs from the start of one pass to the start of the next.
    ///   - jitter: a number from 0 to 1, drawn by the caller.
    /// - Returns: How long to wait for the next pass.
    mutating func wait(
        after result: Result, of streams: [EventStream], at now: ContinuousClock.Instant, took: Duration = .zero,
        jitter: Double
    ) -> Duration {
        switch result {
        case .failed(let outcome):
            // When the database is back, it is back for all of them.
            for stream in retries.keys { retries[stream] = now }
            return database.wait(after: outcome, jitter: jitter)
        case .passed(let failures, let isCutShort):
            var next = database.wait(after: .drained, jitter: jitter)
            next = isCutShort ? .zero : max(.zero, next - took)
            let fresh = SyncPolicy(interval: interval)
            for stream in streams {
                let wait = policies[stream, default: fresh].wait(after: failures[stream] ?? .drained, jitter: jitter)
                retries[stream] = failures[stream] == nil ? nil : now + wait
            }
            for retry in retries.values { next = min(next, max(.zero, retry - now)) }
            return next
        }
    }
}
