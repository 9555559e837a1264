import Logging
import MarketData
import Store
import Testing
import Upstream

/// Uploads what a buffer has, into our own tables.
enum UploadedBuffer {
    static func upload(_ buffer: TickBuffer, to configuration: UpstreamConfiguration) async throws {
        _ = try await UpstreamSchema.migrate(configuration)
        let uploader = Uploader(
            configuration: configuration, bufferID: buffer.id,
            logger: Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() })
        var batches: [BufferedBatch] = []
        for stream in EventStream.allCases {
            if let batch = try await buffer.nextBatch(of: stream, limit: 1000) { batches.append(batch) }
        }
        try await uploader.drain(Batches(batches), of: NoFile(line: UploadLine(id: buffer.id)))
        await uploader.disconnect()
    }

    private actor Batches: UploadSource {
        private var batches: [BufferedBatch]

        init(_ batches: [BufferedBatch]) { self.batches = batches }

        func nextBatch() -> BufferedBatch? { batches.isEmpty ? nil : batches.removeFirst() }
        func keep(_ refused: [DeadLetter]) {
            for row in refused { Issue.record("\(row)") }
        }
        func settled(_ batch: SettledBatch) {}
        func failed(_ stream: EventStream, _ error: UpstreamError) { Issue.record("\(stream) \(error)") }
    }

    /// A file that has uploaded nothing yet.
    private struct NoFile: UploadFile {
        let line: UploadLine

        func marks(of stream: EventStream) -> UploadMarks { UploadMarks() }
        func rows(
            of stream: EventStream, after: Int64, through: Int64, limit: Int
        ) -> (batch: BufferedBatch, end: Int64, isCut: Bool) {
            (BufferedBatch(stream: stream), through, false)
        }
        func refusedRows(of stream: EventStream, after: Int64, through: Int64) -> [ClosedRange<Int64>] { [] }
        func lostRows(of stream: EventStream) -> ClosedRange<Int64>? { nil }
        func prepare(_ move: UploadMove) {}
        func acknowledge(_ stream: EventStream, through sequence: Int64) {}
        func agree(withLedger uploaded: [EventStream: Int64]) {}
        func forget(_ ids: [String], of stream: EventStream) {}
    }
}
