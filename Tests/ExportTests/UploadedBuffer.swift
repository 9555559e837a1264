import Logging
import MarketData
import Store
import TestSupport
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
        try await uploader.drain(Batches(batches), of: NoFile(id: buffer.id))
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
}
