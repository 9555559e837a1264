public import ServiceLifecycle

/// Has a ``StatusBoard`` sample the collector on a beat, whether or not anybody asks for the samples: a supervisor's
/// watchdog lives by them, and must not depend on the HTTP server.
public struct StatusBeat: Service {
    private let board: StatusBoard
    private let interval: Duration

    /// A beat for a board.
    public init(board: StatusBoard, interval: Duration = .milliseconds(500)) {
        self.board = board
        self.interval = interval
    }

    /// Goes on until graceful shutdown or cancellation.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            var next = ContinuousClock.now
            while !Task.isCancelled {
                board.refresh()
                // After a stop of the process the beats that were missed are not made up for.
                next = max(next + interval, .now)
                try? await Task.sleep(until: next, clock: .continuous)
            }
        }
    }
}
