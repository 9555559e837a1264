import Collector
import Dispatch
import FoundationEssentials
import Glibc
import Logging
import MarketData
import ServiceLifecycle
import Store

/// Keeps the last hour of the charts in a small file, so that it survives a restart.
struct HistoryKeeper: Service {
    private let board: StatusBoard
    private let path: String
    private let logger: Logger
    /// The disk may hang; nothing else waits on this queue.
    private let queue = DispatchQueue(label: "edgetick.history")

    /// Loads what an earlier process left in the directory into the board.
    init(board: StatusBoard, directory: String, logger: Logger) {
        self.board = board
        self.logger = logger
        path = directory + "/charts.hour"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return }
        board.recall(History(text: text, now: WallClock.milliseconds()))
    }

    /// Writes the file every minute until graceful shutdown, and once more at the end.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var isFailing = false
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(60))
                let failure = await write()
                if let failure, !isFailing {
                    logger.warning(
                        "the file with the charts' last hour can't be written, so they will not survive a restart",
                        metadata: ["file": "\(path)", "error": "\(failure)"])
                }
                isFailing = failure != nil
            }
        }
    }

    private func write() async -> String? {
        let bytes = Array(board.history.text.utf8)
        return await queue.waiting { [path] in
            PrivateFile.replace(path, with: bytes) ? nil : String(cString: strerror(errno))
        }
    }
}
