import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

/// Signal handling: SIGINT and SIGTERM for commands that do one thing, SIGHUP and SIGPIPE for those that keep running.
enum Interrupts {
    /// Waits for `work`. A signal cancels it, and the command then fails with ``ExitStatus/tryAgain``.
    static func cancelling<Success: Sendable>(_ work: Task<Success, any Error>) async throws -> Success {
        let waiting = WaitingService(work: work)
        try await serving([waiting])
        guard case .success(let value) = await work.result, !waiting.wasInterrupted else {
            if waiting.wasInterrupted {
                throw CommandFailure(.tryAgain, "stopped; run it again to go on where it was")
            }
            return try await work.value
        }
        return value
    }

    /// Ignores signals that would end the process although nothing is wrong: SIGPIPE from a log that nobody reads any
    /// more, and SIGHUP until ``HangUps`` listens.
    ///
    /// - Returns: Whether the process should end with its terminal: it has one and was not started with `nohup`.
    static func ignoreHarmless() -> Bool {
        signal(SIGPIPE, SIG_IGN)
        let wasIgnored = signal(SIGHUP, SIG_IGN).map { unsafeBitCast($0, to: Int.self) == 1 } ?? false
        return !wasIgnored && hasTerminal
    }

    /// Whether a terminal controls this process; `false` once that terminal is closed.
    private static var hasTerminal: Bool {
        let descriptor = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }

    /// Runs `action` on each SIGHUP that a person or program sends; ends if the SIGHUP came from the closing of its
    /// terminal.
    struct HangUps: Service {
        let endsWithTerminal: Bool
        let action: @Sendable () -> Void

        func run() async throws {
            for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
                if endsWithTerminal, !Interrupts.hasTerminal { return }
                action()
            }
        }
    }

    /// Runs services until one of them ends or a signal arrives.
    static func serving(
        _ services: [any Service], on signals: [UnixSignal] = [.sigterm, .sigint]
    ) async throws {
        let group = ServiceGroup(
            configuration: .init(
                services: services.map {
                    .init(
                        service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup)
                },
                gracefulShutdownSignals: signals, logger: Logger(label: "edgetick")))
        try await group.run()
    }
}

private final class WaitingService<Success: Sendable>: Service {
    private let work: Task<Success, any Error>

    init(work: Task<Success, any Error>) { self.work = work }

    var wasInterrupted: Bool { work.isCancelled }

    func run() async throws {
        await withGracefulShutdownHandler {
            _ = await work.result
        } onGracefulShutdown: {
            self.work.cancel()
        }
    }
}
