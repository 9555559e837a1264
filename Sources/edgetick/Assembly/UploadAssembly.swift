import Collector
import Logging
import Store
import Upstream

/// Builds the upload from the settings, separately for each database.
extension Settings {
    /// The uploaders of a file's rows, one for each database.
    func uploaders(of bufferID: String, settingAside: Bool = false) throws(UpstreamError) -> [Uploader] {
        try upstreams().map { configuration in
            Uploader(
                configuration: configuration, bufferID: bufferID, settingAside: settingAside,
                logger: configuration.role.logger)
        }
    }

    func uploadPass(_ buffer: TickBuffer, _ uploader: Uploader) -> UploadPass {
        UploadPass(buffer: buffer, uploader: uploader, batchRows: upload.batchRows, mostRows: upload.mostBatchRows)
    }

    func syncService(_ buffer: TickBuffer, _ uploader: Uploader) -> SyncService {
        SyncService(
            buffer: buffer, uploader: uploader, interval: upload.interval, batchRows: upload.batchRows,
            mostRows: upload.mostBatchRows, keepsOutOnPurpose: upload.keepsOutOnPurpose,
            logger: uploader.configuration.role.logger)
    }
}

extension UpstreamRole {
    fileprivate var logger: Logger { Logger(label: self == .main ? "upload" : "upload-ticks") }
}
