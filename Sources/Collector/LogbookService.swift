public import Feed
public import Logging
import MarketData
public import ServiceLifecycle
public import Store
import Upstream

/// Writes a line a minute about what was collected, so that a log alone tells a quiet market from a dead collector.
public struct LogbookService: Service {
    private let connections: ConnectionSet
    private let buffer: TickBuffer
    private let uploads: [SyncService]
    private let interval: Duration
    private let logger: Logger

    /// A logbook of these connections, buffer and, where there are some, uploads.
    public init(
        connections: ConnectionSet, buffer: TickBuffer, uploads: [SyncService], interval: Duration = .seconds(60),
        logger: Logger
    ) {
        self.connections = connections
        self.buffer = buffer
        self.uploads = uploads
        self.interval = interval
        self.logger = logger
    }

    /// Writes until graceful shutdown.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: interval)
                guard !Task.isCancelled else { return }
                write()
            }
        }
    }

    private func write() {
        let statistics = buffer.statistics
        let feeds = connections.snapshot
        var metadata: Logger.Metadata = [
            "connected": "\(feeds.connected)/\(feeds.members.count)",
            "queued": "\(statistics.queuedEvents)",
            "dropped": "\(statistics.drops)",
        ]
        for (stream, counts) in statistics.streams {
            metadata[stream.rawValue] = "\(counts.appended)"
            metadata["\(stream.rawValue)_pending"] = "\(counts.pending)"
        }
        for upload in uploads {
            metadata[upload.role == .main ? "upload" : "upload_ticks"] =
                upload.status.failure == nil ? "ok" : "failing"
        }
        logger.info("collected", metadata: metadata)
    }
}
