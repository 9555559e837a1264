import MarketData
import Store
import TestSupport
import Upstream

@testable import Collector

/// A collector's buffer in a directory, and its upload.
final class UploadBox {
    let directory: String
    let buffer: TickBuffer
    let uploader: Uploader
    let pass: UploadPass

    init(
        _ directory: String, _ configuration: UpstreamConfiguration, retention: Duration = .seconds(86_400),
        batchRows: Int
    ) throws {
        self.directory = directory
        buffer = try TickBuffer.scratch(in: directory, collector: configuration.collector, retention: retention)
        uploader = Uploader(configuration: configuration, bufferID: buffer.id, logger: quiet)
        pass = UploadPass(buffer: buffer, uploader: uploader, batchRows: batchRows)
    }

    /// The buffer's file.
    var file: String { directory + "/ticks.sqlite" }

    func collect(_ ids: ClosedRange<Int>) async throws { try await buffer.collect(trades: ids) }

    func upload() async throws { _ = try await pass.run() }

    /// Collects trades, and uploads all that waits.
    func upload(_ ids: ClosedRange<Int>) async throws {
        try await collect(ids)
        try await upload()
    }

    /// The error that stops the upload of trades.
    func failure() async -> UpstreamError? { await pass.report().failures[.trades] }

    func stop() async {
        await uploader.disconnect()
        await buffer.close()
    }
}
