public import MarketData
public import Store
import Synchronization
public import Upstream

/// Moves everything that is buffered upstream, once: reads from the head, sends, acknowledges.
///
/// The ledger upstream decides what is already there, so a pass may end anywhere, by an error or a kill, and the next
/// one neither loses nor doubles a row.
public struct UploadPass: Sendable {
    private let buffer: TickBuffer
    private let uploader: Uploader
    private let sizes: BatchSizes
    private let file: BufferFile
    private let looks: UploadLooks

    /// The streams that the database holds.
    public var streams: [EventStream] { uploader.configuration.streams }

    /// A pass from `buffer` through `uploader`.
    ///
    /// - Parameters:
    ///   - batchRows: So many rows a transaction as a rule.
    ///   - mostRows: So many where the database takes long for each transaction; `nil`: never more than as a rule.
    public init(buffer: TickBuffer, uploader: Uploader, batchRows: Int, mostRows: Int? = nil) {
        self.buffer = buffer
        self.uploader = uploader
        sizes = BatchSizes(usual: batchRows, most: mostRows ?? batchRows)
        file = BufferFile(buffer: buffer)
        looks = UploadLooks(buffer: buffer, uploader: uploader)
    }

    /// Sends every row that the buffer has now; `progress` hears of every batch.
    ///
    /// - Throws: `StoreError` and `UpstreamError`, when all that could go up is upstream; what was acknowledged until then
    ///   stays so.
    public func run(progress: @escaping @Sendable (UploadTotals) -> Void = { _ in }) async throws -> UploadTotals {
        try await report(progress: progress).get()
    }

    /// Sends every row of these streams that the buffer has now, or runs until each of them has failed. Rows that come
    /// meanwhile are the next pass's: on a busy feed a pass would have no end, and what failed in it no second try.
    ///
    /// The streams take turns, those with a problem last, so that a backlog of quotes doesn't hold up the bars. The next
    /// batch is read while one is sent. A stream that fails leaves the others theirs: also when the connection was lost with
    /// its rows on the way, for they may be what the server can't bear.
    ///
    /// - Parameters:
    ///   - streams: Of those that the database holds; `nil` for all of them.
    ///   - failing: The streams that failed the last time.
    ///   - limit: After so long the pass ends, cut short, when each stream has had one batch; `nil`: never.
    ///   - isOver: Asked before each batch; the pass ends, cut short, when it is true.
    public func report(
        of streams: [EventStream]? = nil, failing: Set<EventStream> = [], within limit: Duration? = nil,
        progress: @escaping @Sendable (UploadTotals) -> Void = { _ in },
        until isOver: @escaping @Sendable () -> Bool = { false }
    ) async -> UploadReport {
        let totals = Mutex(UploadTotals())
        var report = UploadReport()
        let streams = streams ?? self.streams
        let buffered = buffer.statistics
        let ends = Dictionary(uniqueKeysWithValues: streams.map { ($0, buffered[$0].lastSequence) })
        let deadline = limit.map { ContinuousClock.now + $0 }
        var left = streams.filter { !failing.contains($0) } + streams.filter(failing.contains)
        var hasMoved = false
        repeat {
            var failures: [EventStream: UpstreamError] = [:]
            do {
                failures = try await settle(left, readsTables: !failing.isDisjoint(with: left))
                report.missing = try await looks.look(left.filter { failures[$0] == nil })
                let queue = UploadQueue(
                    buffer: buffer, sizes: sizes, streams: left.filter { failures[$0] == nil }, ends: ends,
                    deadline: deadline, isOver: isOver
                ) { batch in
                    progress(
                        totals.withLock { totals in
                            totals.add(batch)
                            return totals
                        })
                }
                do {
                    try await uploader.drain(queue, of: file)
                    left = []
                    report.isCutShort = await queue.isCutShort
                } catch {
                    failures.merge(await queue.failures) { $1 }
                    report.isCutShort = await queue.isCutShort
                    throw error
                }
            } catch {
                let failure = (error as? UpstreamError).flatMap { failures.values.contains($0) ? $0 : nil }
                if failure == nil { report.problem = error }
                left.removeAll { failures[$0] != nil }
                // Over a new connection the others may go on, and so may a stream whose place is known again.
                if failure?.isLostConnection != true { left = [] }
                let moved = failures.filter { $0.value.isLedgerMoved }.keys
                if !moved.isEmpty, !hasMoved {
                    hasMoved = true
                    left += moved
                    for stream in moved { failures[stream] = nil }
                }
            }
            report.failures.merge(failures) { $1 }
        } while !left.isEmpty
        report.totals = totals.withLock { $0 }
        return report
    }

    /// As ``report(of:failing:progress:until:)``, and tries streams again that failed with what may be one row's fault or the
    /// batch's size: for a command that passes once and is over, where the service has its next pass.
    public func reportAfterTries(
        progress: @escaping @Sendable (UploadTotals) -> Void = { _ in }
    ) async -> UploadReport {
        var result = await report(progress: progress)
        var tries = 1
        while result.problem == nil, !Task.isCancelled {
            let again = EventStream.allCases.filter { result.failures[$0]?.mayBeOfRows == true }
            // Each try of what is too slow halves the batch.
            let isSlow = again.contains { result.failures[$0]?.isSlow == true }
            guard !again.isEmpty, tries < (isSlow ? Self.mostTries : Uploader.triesUntilNarrowed) else { break }
            tries += 1
            // What passes by itself is given a moment to.
            try? await Task.sleep(for: .milliseconds(300))
            let before = result.totals
            let next = await report(of: again) { progress(before + $0) }
            for stream in again { result.failures[stream] = next.failures[stream] }
            result.totals = before + next.totals
            result.problem = next.problem
        }
        return result
    }

    /// Enough to halve the largest batch to a few rows and find the one at fault.
    private static let mostTries = 25

    /// Has the buffer agree with what the ledger says is upstream: a pass that ended between COMMIT and acknowledgement
    /// left that knowledge there alone, and a database that was restored knows less than the buffer.
    ///
    /// - Parameter readsTables: Whether what is known of the tables is read again first.
    /// - Returns: Streams that can't be settled now, and why.
    /// - Throws: `StoreError` and `UpstreamError`, when none can.
    func settle(
        _ streams: [EventStream], readsTables: Bool = false
    ) async throws -> [EventStream: UpstreamError] {
        try await uploader.connect(readsTables: readsTables)
        var failures: [EventStream: UpstreamError] = [:]
        var known: [EventStream: Int64] = [:]
        for stream in streams {
            do throws(UpstreamError) {
                if buffer.statistics[stream].lastSequence > 0 { try await uploader.settle(stream, with: file) }
                known[stream] = buffer.statistics[stream].acknowledgedSequence
            } catch {
                guard error.reason != .cancelled, !error.isLostConnection else { throw error }
                failures[stream] = error
            }
        }
        // Dead letters of rows that wait are judged again.
        try await buffer.agree(withLedger: known)
        return failures
    }

    /// Sends a stream's rows from a sequence on again, whatever the ledger says, and takes over what another copy of the
    /// file took.
    ///
    /// - Throws: `StoreError` and `UpstreamError`.
    public func sendAgain(_ stream: EventStream, from sequence: Int64) async throws {
        try await uploader.connect()
        if sequence - 1 > buffer.statistics[stream].acknowledgedSequence {
            try await buffer.acknowledge(stream, through: sequence - 1)
        } else {
            try await buffer.agree(withLedger: [stream: sequence - 1])
        }
        try await uploader.settle(stream, with: file, isTakeover: true)
    }
}
