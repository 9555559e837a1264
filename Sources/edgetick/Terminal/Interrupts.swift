import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

/// Signals: Ctrl-C and SIGTERM for commands that do one thing, SIGHUP and SIGPIPE for those that stay.
enum Interrupts {
    /// Waits for `work`; a signal cancels it, and the command then exits as told to try again.
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

    /// Leaves signals without effect that would end the process though nothing is wrong: SIGPIPE of a log that nobody
    /// reads any more, and SIGHUP before ``HangUps`` listens.
    ///
    /// - Returns: Whether the process is to end with its terminal: it has one, and nobody said `nohup`.
    static func ignoreHarmless() -> Bool {
        signal(SIGPIPE, SIG_IGN)
        let wasIgnored = signal(SIGHUP, SIG_IGN).map { unsafeBitCast($0, to: Int.self) == 1 } ?? false
        return !wasIgnored && hasTerminal
    }

    /// Whether a terminal controls this process. One that was closed does no longer.
    private static var hasTerminal: Bool {
        let descriptor = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }

    /// Does something on each SIGHUP that a person or program sends, and ends with the terminal whose closing sent one.
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

    /// Runs services until they end or a signal comes.
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
