import MarketData
import Store
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
        buffer = try TickBuffer.open(
            directory: directory,
            options: .init(
                collector: configuration.collector, commitInterval: .fixed(.milliseconds(5)), retention: retention),
            logger: quiet)
        uploader = Uploader(configuration: configuration, bufferID: buffer.id, logger: quiet)
        pass = UploadPass(buffer: buffer, uploader: uploader, batchRows: batchRows)
    }

    func collect(_ ids: ClosedRange<Int>) async throws { try await buffer.collect(trades: ids) }

    func upload() async throws { _ = try await pass.run() }

    /// The error that stops the upload of trades.
    func failure() async -> UpstreamError? { await pass.report().failures[.trades] }

    func stop() async {
        await uploader.disconnect()
        await buffer.close()
    }
}
