public import Feed
public import Logging
import MarketData
public import ServiceLifecycle
public import Store
import Upstream

/// Logs one line a minute about what was collected, so that the log alone distinguishes a quiet market from a dead
/// collector. The first line comes as soon as an event has arrived.
public struct LogbookService: Service {
    private let connections: ConnectionSet
    private let buffer: TickBuffer
    private let uploads: [SyncService]
    private static let interval: Duration = .seconds(60)
    /// How often it checks for the first event.
    private static let firstLook: Duration = .seconds(2)
    private let logger: Logger

    /// Makes a logbook of these connections, this buffer and, if there are any, these uploads.
    public init(connections: ConnectionSet, buffer: TickBuffer, uploads: [SyncService], logger: Logger) {
        self.connections = connections
        self.buffer = buffer
        self.uploads = uploads
        self.logger = logger
    }

    /// Writes until graceful shutdown.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var wasEmpty = true
            var quiet = Duration.zero
            while !Task.isCancelled {
                let pause = wasEmpty ? Self.firstLook : Self.interval
                try? await Task.sleep(for: pause)
                guard !Task.isCancelled else { return }
                quiet += pause
                let isEmpty = buffer.statistics.streams.values.allSatisfy { $0.appended == 0 }
                guard !isEmpty || quiet >= Self.interval else { continue }
                write()
                (wasEmpty, quiet) = (isEmpty, .zero)
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
