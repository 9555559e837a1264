public import ServiceLifecycle

/// Makes a ``StatusBoard`` sample the collector on a beat, whether or not anybody asks for the samples. A supervisor's
/// watchdog depends on them, and must not depend on the HTTP server.
public struct StatusBeat: Service {
    private let board: StatusBoard
    private let interval: Duration

    /// A beat for a board.
    public init(board: StatusBoard, interval: Duration = .milliseconds(500)) {
        self.board = board
        self.interval = interval
    }

    /// Runs until graceful shutdown or cancellation.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var next = ContinuousClock.now
            while !Task.isCancelled {
                board.refresh()
                // If the process was stopped, the missed beats are not made up for.
                next = max(next + interval, .now)
                try? await Task.sleep(until: next, clock: .continuous)
            }
        }
    }
}
