import MarketData
import Store
import Upstream

/// The buffer, in the form that the ledger's protocol needs.
struct BufferFile: UploadFile {
    let buffer: TickBuffer

    var line: UploadLine { buffer.line }

    func marks(of stream: EventStream) -> UploadMarks {
        let statistics = buffer.statistics[stream]
        return UploadMarks(
            acknowledged: statistics.acknowledgedSequence, deleted: statistics.deletedThrough,
            last: statistics.lastSequence, sentAgain: statistics.sentAgainThrough)
    }

    func rows(
        of stream: EventStream, after: Int64, through: Int64, limit: Int
    ) async throws -> (batch: BufferedBatch, end: Int64, isCut: Bool) {
        try await buffer.rows(of: stream, after: after, through: through, limit: limit)
    }

    func refusedRows(of stream: EventStream, after: Int64, through: Int64) async throws -> [ClosedRange<Int64>] {
        try await buffer.refusedRows(of: stream, after: after, through: through)
    }

    func lostRows(of stream: EventStream) async throws -> ClosedRange<Int64>? {
        try await buffer.lostRows(of: stream)
    }

    func prepare(_ move: UploadMove) async throws { try await buffer.prepare(move) }

    func acknowledge(_ stream: EventStream, through sequence: Int64) async throws {
        guard sequence > buffer.statistics[stream].acknowledgedSequence else { return }
        try await buffer.acknowledge(stream, through: sequence)
    }

    func takeBack(_ stream: EventStream, to sequence: Int64) async throws {
        try await buffer.agree(withLedger: [stream: sequence])
    }

    func forget(_ ids: [String], of stream: EventStream) async throws { try await buffer.forget(ids, of: stream) }
}
