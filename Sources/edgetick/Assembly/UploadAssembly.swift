import Collector
import Logging
import Store
import Upstream

/// The upload, made from what the user set: for each database its own.
extension Settings {
    /// What uploads a file's rows, a database each.
    func uploaders(of bufferID: String, settingAside: Bool = false) throws(UpstreamError) -> [Uploader] {
        try upstreams().map { configuration in
            Uploader(
                configuration: configuration, bufferID: bufferID, settingAside: settingAside,
                logger: configuration.role.logger)
        }
    }

    func uploadPass(_ buffer: TickBuffer, _ uploader: Uploader) -> UploadPass {
        UploadPass(
            buffer: buffer, uploader: uploader, batchRows: upload.batchRows, mostRows: upload.mostBatchRows)
    }

    /// The sync task of one database.
    func syncService(_ buffer: TickBuffer, _ uploader: Uploader) -> SyncService {
        SyncService(
            buffer: buffer, uploader: uploader, interval: upload.interval, batchRows: upload.batchRows,
            mostRows: upload.mostBatchRows, logger: uploader.configuration.role.logger)
    }
}

extension UpstreamRole {
    /// The log of what goes to the database.
    fileprivate var logger: Logger { Logger(label: self == .main ? "upload" : "upload-ticks") }
}
