public import MarketData
public import Store
import Synchronization
public import Upstream

/// Uploads everything that is buffered, once: reads from the head, sends, acknowledges.
///
/// The ledger upstream decides what is already there. So a pass may end anywhere, by an error or a kill, and the next
/// one neither loses nor duplicates a row.
public struct UploadPass: Sendable {
    private let buffer: TickBuffer
    let uploader: Uploader
    private let sizes: BatchSizes
    private let looks: UploadLooks

    /// The streams that the database holds.
    public var streams: [EventStream] { uploader.configuration.streams }

    /// A pass from `buffer` through `uploader`.
    ///
    /// - Parameters:
    ///   - batchRows: The usual number of rows per transaction.
    ///   - mostRows: The largest number, for a database that takes long for each transaction; `nil` never exceeds the
    ///     usual.
    public init(buffer: TickBuffer, uploader: Uploader, batchRows: Int, mostRows: Int? = nil) {
        self.buffer = buffer
        self.uploader = uploader
        sizes = BatchSizes(usual: batchRows, most: mostRows ?? batchRows)
        looks = UploadLooks(buffer: buffer, uploader: uploader)
    }

    /// Uploads every row that the buffer holds now.
    ///
    /// - Throws: `StoreError` and `UpstreamError`, after everything that can be uploaded is upstream. Rows that were
    ///   acknowledged by then stay acknowledged.
    func run() async throws -> UploadTotals { try await report().get() }

    /// Uploads every row of these streams that the buffer holds now, or runs until each of them has failed. Rows that
    /// arrive meanwhile are left to the next pass: on a busy feed the pass would never end, and a stream that failed in it
    /// would never be retried.
    ///
    /// The streams take turns, those with a problem last, so that a backlog of quotes doesn't delay the bars. The next
    /// batch is read while one is sent. A stream that fails does not stop the others, even if the connection was lost
    /// while its rows were sent: those rows may be what the server can't handle.
    ///
    /// - Parameters:
    ///   - streams: Some of the streams that the database holds; `nil` for all of them.
    ///   - failing: The streams that failed last time.
    ///   - limit: The time after which the pass is cut short, once each stream has had a batch; `nil` for no limit.
    ///   - isOver: Called before each batch; the pass is cut short when it returns `true`.
    public func report(
        of streams: [EventStream]? = nil, failing: Set<EventStream> = [], within limit: Duration? = nil,
        progress: @escaping @Sendable (UploadTotals) -> Void = { _ in },
        until isOver: @escaping @Sendable () -> Bool = { false }
    ) async -> UploadReport {
        let totals = Mutex(UploadTotals())
        var report = UploadReport()
        let streams = streams ?? self.streams
        let buffered = buffer.statistics
        let ends = Dictionary(uniqueKeysWithValues: streams.map { ($0, buffered[$0].marks.last) })
        let deadline = limit.map { ContinuousClock.now + $0 }
        var left = streams.filter { !failing.contains($0) } + streams.filter(failing.contains)
        var hasMoved = false
        repeat {
            var failures: [EventStream: UpstreamError] = [:]
            var begun: UploadQueue?
            do {
                let now = ContinuousClock.now
                await looks.prepare(at: now)
                failures = try await settle(left, readsTables: !failing.isDisjoint(with: left))
                report.missing = try await looks.look(left.filter { failures[$0] == nil }, at: now)
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
                begun = queue
                try await uploader.drain(queue, of: buffer)
                left = []
            } catch {
                if let begun { failures.merge(await begun.failures) { $1 } }
                let failure = (error as? UpstreamError).flatMap { failures.values.contains($0) ? $0 : nil }
                if failure == nil { report.problem = error }
                left.removeAll { failures[$0] != nil }
                // The others may go on over a new connection, and so may a stream whose place in the ledger is known
                // again.
                if failure?.isLostConnection != true { left = [] }
                let moved = failures.filter { $0.value.isLedgerMoved }.keys
                if !moved.isEmpty, !hasMoved {
                    hasMoved = true
                    left += moved
                    for stream in moved { failures[stream] = nil }
                }
            }
            // A second round may leave out streams that the first one cut short.
            if let begun, await begun.isCutShort { report.isCutShort = true }
            report.failures.merge(failures) { $1 }
        } while !left.isEmpty
        report.totals = totals.withLock { $0 }
        return report
    }

    /// Does the same as ``report(of:failing:within:progress:until:)``, and retries streams whose failure may be caused
    /// by one row or by the batch's size. For a command that makes a single pass; the service has its next pass.
    ///
    /// A row that ends the session may crash the whole server, which then recovers by itself.
    ///
    /// - Parameters:
    ///   - patience: How long to wait for the server each time that it can't be reached after it ended a session.
    ///   - isAway: Called when such a wait begins, with the reason why the server can't be reached.
    public func reportAfterTries(
        patience: Duration = Self.patience, progress: @escaping @Sendable (UploadTotals) -> Void = { _ in },
        isAway: @escaping @Sendable (UpstreamError) -> Void = { _ in }
    ) async -> UploadReport {
        var result = await report(progress: progress)
        var tries = 1
        var deadline: ContinuousClock.Instant?
        while !Task.isCancelled {
            let again =
                result.problem == nil
                ? EventStream.allCases.filter { result.failures[$0]?.mayBeOfRows == true } : streams
            // Each retry of a batch that is too slow, or that ends the session, makes it smaller.
            let shrinks = again.contains { stream in
                result.failures[stream].map { $0.isSlow || $0.isLostConnection } ?? false
            }
            guard !again.isEmpty, tries < (shrinks ? Self.mostTries : Uploader.triesUntilNarrowed) else { break }
            if let problem = result.problem {
                guard result.isOfLostServer, let problem = problem as? UpstreamError else { break }
                if deadline == nil { isAway(problem) }
                let end = deadline ?? ContinuousClock.now + patience
                guard ContinuousClock.now < end else { break }
                deadline = end
            }
            // Give a temporary fault a moment to pass.
            try? await Task.sleep(for: .milliseconds(300))
            let before = result.totals
            let next = await report(of: again) { progress(before + $0) }
            // Rows were sent, whether or not the server is away again.
            if next.problem == nil || next.isOfLostServer {
                tries += 1
                deadline = nil
            }
            // If the pass did not get to a stream, its last failure still holds.
            for stream in again where next.problem == nil || next.failures[stream] != nil {
                result.failures[stream] = next.failures[stream]
            }
            result.totals = before + next.totals
            result.missing.merge(next.missing) { $1 }
            result.problem = next.problem
        }
        return result
    }

    /// Long enough for a server to recover from a crash.
    public static let patience: Duration = .seconds(120)

    /// Enough to halve the largest batch to a few rows and find the one at fault.
    private static let mostTries = 25

    /// Makes the buffer agree with the ledger about which rows are upstream. After a pass that ended between COMMIT and
    /// acknowledgement, only the ledger knows; a database that was restored knows less than the buffer.
    ///
    /// - Parameter readsTables: Whether the tables' descriptions are read again first.
    /// - Returns: The streams that can't be settled now, and why.
    /// - Throws: `StoreError` and `UpstreamError`, when no stream can be settled.
    func settle(_ streams: [EventStream], readsTables: Bool = false) async throws -> [EventStream: UpstreamError] {
        try await uploader.connect(readsTables: readsTables)
        var failures: [EventStream: UpstreamError] = [:]
        var known: [EventStream: Int64] = [:]
        for stream in streams {
            do throws(UpstreamError) {
                if buffer.statistics[stream].marks.last > 0 { try await uploader.settle(stream, with: buffer) }
                known[stream] = buffer.statistics[stream].marks.acknowledged
            } catch {
                guard error.reason != .cancelled, !error.isLostConnection else { throw error }
                failures[stream] = error
            }
        }
        // This also removes the dead letters of rows that still wait, because those rows are judged again.
        try await buffer.agree(withLedger: known)
        return failures
    }

    /// Makes a stream's rows from a sequence on wait for upload again, whatever the ledger says, and takes back what
    /// another copy of the file took over. The next pass leaves out rows that it recognises upstream.
    ///
    /// - Throws: `StoreError` and `UpstreamError`; reason `ledger` if it would pass over waiting rows, and nothing is
    ///   changed then.
    public func sendAgain(_ stream: EventStream, from sequence: Int64) async throws {
        try await uploader.connect()
        let first = try await firstToSend(of: stream, from: sequence)
        try await buffer.sendAgain(stream, from: first)
        try await uploader.settle(stream, with: buffer, isTakeover: true)
        looks.forget(stream)
    }

    /// The row from which ``sendAgain(_:from:)`` sends a stream; throws what it would throw.
    public func firstToSend(of stream: EventStream, from sequence: Int64) async throws -> Int64 {
        try await uploader.firstToSend(of: stream, from: sequence, with: buffer)
    }
}
