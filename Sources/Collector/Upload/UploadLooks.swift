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
        var seen: [EventStream: Int64]
        var missing: [EventStream: String] = [:]
    }

    init(buffer: TickBuffer, uploader: Uploader) {
        self.buffer = buffer
        self.uploader = uploader
        let statistics = buffer.statistics
        let seen = EventStream.allCases.map { ($0, statistics[$0].acknowledgedSequence) }
        state = Mutex(State(seen: Dictionary(uniqueKeysWithValues: seen)))
    }

    /// Checks if a check is due.
    ///
    /// - Returns: The description of what is missing, by stream.
    /// - Throws: `StoreError` and `UpstreamError`.
    func look(_ streams: [EventStream], at now: ContinuousClock.Instant = .now) async throws -> [EventStream: String] {
        let (isDue, isFirst) = state.withLock { state in
            let isDue = state.next.map { now >= $0 } ?? true
            defer { if isDue { state.next = now + Self.interval } }
            return (isDue, state.next == nil)
        }
        guard isDue else { return state.withLock(\.missing) }
        // The ledger is checked as well, since somebody may have deleted its rows.
        if !isFirst { await uploader.settleAgain() }
        for stream in streams {
            do {
                let text = try await missing(stream)
                let isNew = state.withLock { state in
                    defer { state.missing[stream] = text }
                    if text == nil { state.seen[stream] = buffer.statistics[stream].acknowledgedSequence }
                    return text != nil && state.missing[stream] == nil
                }
                if isNew, let text { try await buffer.note(incident: "rows are gone upstream", detail: text) }
            } catch let error as UpstreamError {
                // Nothing can be checked if the table is missing, may not be read, or can't be read in the time
                // allowed.
                guard error.reason == .schema || error.sqlState == UpstreamError.canceled else { throw error }
            }
        }
        return state.withLock(\.missing)
    }

    private func missing(_ stream: EventStream) async throws -> String? {
        let statistics = buffer.statistics[stream]
        let seen = min(state.withLock { $0.seen[stream] ?? 0 }, statistics.acknowledgedSequence)
        let first = seen > statistics.deletedThrough ? seen - Self.rows : statistics.deletedThrough
        let end = seen > statistics.deletedThrough ? seen : min(first + 10, statistics.acknowledgedSequence)
        guard first < end else { return nil }
        let batch = try await buffer.read(stream, after: max(0, first), through: end, limit: Int(Self.rows)).batch
        let refused = try await buffer.refusedRows(of: stream, after: max(0, first), through: end)
        let cutoff = WallClock.microseconds() - Self.longest
        let recent = (0..<batch.count).compactMap { index -> Int64? in
            guard let sequence = batch.sequence(at: index), let received = batch.received(at: index) else { return nil }
            return received > cutoff && !refused.contains { $0.contains(sequence) } ? sequence : nil
        }
        guard let oldest = recent.first else { return nil }
        let there = try await uploader.lookUp(batch).present
        guard recent.allSatisfy({ !there.contains($0) }) else { return nil }
        let name = stream.rawValue
        return "\(name): uploaded rows are gone from the table: of \(recent.count.counted("row")) checked from "
            + "sequence \(oldest) on, none was found; if they were not deleted on purpose, send them again: "
            + "edgetick sync --again --stream \(name) --from …"
    }
}
