public import Feed
public import Logging
import MarketData
public import ServiceLifecycle
public import Store
import Upstream

/// Logs one line a minute about what was collected, so that the log alone distinguishes a quiet market from a dead
/// collector. The first line comes as soon as an event has arrived. Also logs that the disk does not respond.
public struct LogbookService: Service {
    private let connections: ConnectionSet
    private let buffer: TickBuffer
    private let uploads: [SyncService]
    private let board: StatusBoard
    private static let interval: Duration = .seconds(60)
    /// How often it checks for the first event, and whether events are committed.
    private static let look: Duration = .seconds(2)
    private let logger: Logger

    /// Makes a logbook of these connections, this buffer and, if there are any, these uploads.
    public init(
        connections: ConnectionSet, buffer: TickBuffer, uploads: [SyncService], board: StatusBoard, logger: Logger
    ) {
        self.connections = connections
        self.buffer = buffer
        self.uploads = uploads
        self.board = board
        self.logger = logger
    }

    /// Writes until graceful shutdown.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var stalls = StallLog(logger: logger)
            var wasEmpty = true
            var quiet = Duration.zero
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.look)
                guard !Task.isCancelled else { return }
                stalls.look(at: board.sample.snapshot, now: .now)
                quiet += Self.look
                let isEmpty = buffer.statistics.streams.values.allSatisfy { $0.appended == 0 }
                guard wasEmpty && !isEmpty || quiet >= Self.interval else { continue }
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
