import MarketData
import Store
import Synchronization
import Upstream

/// Checks every few minutes that uploaded rows are still there, since somebody may have emptied a table.
///
/// Missing rows are not sent again automatically, because a person may have deleted them on purpose.
final class UploadLooks: Sendable {
    /// The time between two checks.
    static let interval: Duration = .seconds(300)
    /// How many rows of a stream are looked up.
    static let rows: Int64 = 100
    /// Rows that were received longer ago, in microseconds, may have been deleted by the database's own retention.
    static let longest: Int64 = 86_400_000_000

    private let buffer: TickBuffer
    private let uploader: Uploader
    private let state: Mutex<State>

    private struct State {
        var next: ContinuousClock.Instant?
        /// Rows up to these sequences were uploaded before the last check. Rows uploaded since then would not show that
        /// the table was emptied in between.
        var seen: [EventStream: Int64] = [:]
        var missing: [EventStream: String] = [:]

        /// Through which sequence a stream's rows are gone; 0 if they are not.
        func gone(_ stream: EventStream) -> Int64 { missing[stream] == nil ? 0 : seen[stream] ?? 0 }

        /// Takes what a check has shown, and returns the description of what is missing if that is news.
        ///
        /// - Parameter uploaded: The last sequence that was uploaded before the check.
        mutating func note(_ finding: Finding, of stream: EventStream, uploaded: Int64) -> String? {
            let before = missing[stream]
            switch finding {
            case .there: missing[stream] = nil
            case .gone(let last, let text):
                missing[stream] = text
                seen[stream] = last
            case .nothing: break
            }
            // While rows are missing, only they can show that they are back.
            if missing[stream] == nil { seen[stream] = uploaded }
            return before == nil ? missing[stream] : nil
        }
    }

    /// The result of checking one stream.
    private enum Finding {
        /// Some of the rows are there.
        case there
        /// None of the rows through a sequence is there; the text describes them.
        case gone(through: Int64, text: String)
        /// No row could be looked up, which proves nothing.
        case nothing
    }

    init(buffer: TickBuffer, uploader: Uploader) {
        self.buffer = buffer
        self.uploader = uploader
        let statistics = buffer.statistics
        var state = State()
        for stream in uploader.configuration.streams {
            let marks = statistics[stream].marks
            // A process before this one may have found that they are gone. About rows that the file no longer has, a person
            // can decide nothing.
            let isMissing = marks.gone > marks.deleted
            state.seen[stream] = isMissing ? marks.gone : marks.acknowledged
            if isMissing {
                state.missing[stream] = Self.text(
                    stream, "of those through sequence \(marks.gone), none was found when they were last checked")
            }
        }
        self.state = Mutex(state)
    }

    /// Has the ledger checked as well if a check is due, since somebody may have deleted its rows. Called before the
    /// streams are settled, so that rows which then wait again are read in their order.
    func prepare(at now: ContinuousClock.Instant) async {
        guard let next = state.withLock(\.next), now >= next else { return }
        await uploader.settleAgain()
    }

    /// Checks if a check is due.
    ///
    /// Rows that were found missing count as missing until one of them is there or ``forget(_:)`` is called, even if
    /// they can't be looked up any more; after a restart, as long as the file has them.
    ///
    /// - Parameter cutoff: Rows that were received until then, in microseconds since the Unix epoch, are left out.
    /// - Returns: The description of what is missing, by stream.
    /// - Throws: `StoreError` and `UpstreamError`.
    func look(
        _ streams: [EventStream], at now: ContinuousClock.Instant = .now,
        receivedAfter cutoff: Int64 = WallClock.microseconds() - UploadLooks.longest
    ) async throws -> [EventStream: String] {
        let isDue = state.withLock { state in
            let isDue = state.next.map { now >= $0 } ?? true
            if isDue { state.next = now + Self.interval }
            return isDue
        }
        guard isDue else { return state.withLock(\.missing) }
        for stream in streams {
            do {
                let finding = try await check(stream, receivedAfter: cutoff)
                let uploaded = buffer.statistics[stream].marks.acknowledged
                let (news, gone) = state.withLock { state -> (String?, Int64) in
                    let news = state.note(finding, of: stream, uploaded: uploaded)
                    return (news, state.gone(stream))
                }
                if news != nil || gone != buffer.marks(of: stream).gone {
                    let incident = news.map { Incident("rows are gone upstream", detail: $0) }
                    try await buffer.note(gone: gone, of: stream, incident: incident)
                }
            } catch let error as UpstreamError {
                // Nothing can be checked if the table is missing, may not be read, or can't be read in the time
                // allowed.
                guard error.reason == .schema || error.sqlState == UpstreamError.canceled else { throw error }
            }
        }
        return state.withLock(\.missing)
    }

    /// Forgets which rows of a stream are missing, since a person has them sent again.
    func forget(_ stream: EventStream) { state.withLock { $0.missing[stream] = nil } }

    private func check(_ stream: EventStream, receivedAfter cutoff: Int64) async throws -> Finding {
        let marks = buffer.statistics[stream].marks
        let (known, isMissing) = state.withLock { ($0.seen[stream] ?? 0, $0.missing[stream] != nil) }
        let seen = min(known, marks.acknowledged)
        let isDeleted = seen <= marks.deleted
        // The rows after them may have been uploaded after the table was emptied.
        if isDeleted, isMissing { return .nothing }
        let first = isDeleted ? marks.deleted : seen - Self.rows
        let end = isDeleted ? min(first + 10, marks.acknowledged) : seen
        guard first < end else { return .nothing }
        let batch = try await buffer.read(stream, after: max(0, first), through: end, limit: Int(Self.rows)).batch
        let refused = try await buffer.refusedRows(of: stream, after: max(0, first), through: end)
        let doubtful = try await buffer.possiblyRefusedRows(of: stream, after: max(0, first), through: end)
        let recent = (0..<batch.count).compactMap { index -> Int64? in
            guard let sequence = batch.sequence(at: index), let received = batch.received(at: index) else { return nil }
            // Rows that were found missing show by themselves that they are back.
            let counts = received > cutoff || isMissing
            let mayBeRefused = doubtful.contains(sequence) || refused.contains { $0.contains(sequence) }
            return counts && !mayBeRefused ? sequence : nil
        }
        guard let oldest = recent.first else { return .nothing }
        let there = try await uploader.lookUp(batch).present
        guard recent.allSatisfy({ !there.contains($0) }) else { return .there }
        return .gone(
            through: end,
            text: Self.text(
                stream, "of \(recent.count.counted("row")) checked from sequence \(oldest) on, none was found"))
    }

    /// The description of rows that are gone, and what to do.
    private static func text(_ stream: EventStream, _ evidence: String) -> String {
        let name = stream.rawValue
        return
            "\(name): uploaded rows are gone from the table: \(evidence); if they were not deleted on purpose, send them "
            + "again: edgetick sync --again --stream \(name) --from …"
    }
}
