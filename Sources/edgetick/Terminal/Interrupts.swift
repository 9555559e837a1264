import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

/// Signal handling: SIGINT and SIGTERM for commands that do one thing, SIGHUP and SIGPIPE for those that keep running.
enum Interrupts {
    /// Waits for `work`. A signal cancels it, and the command then fails with ``ExitStatus/tryAgain``.
    static func cancelling<Success: Sendable>(_ work: Task<Success, any Error>) async throws -> Success {
        try await serving([WaitingService(work: work)])
        let result = await work.result
        guard !work.isCancelled else {
            throw CommandFailure(.tryAgain, "stopped; run it again to continue where it stopped")
        }
        return try result.get()
    }

    /// Ignores SIGPIPE, which would end the process because nobody reads its log any more.
    static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

    /// Has SIGINT and SIGTERM end the process before something else handles them, even if it is the first process of a
    /// container: the kernel withholds from that one the signals that it does not handle.
    static func endFirstProcess() {
        guard getpid() == 1 else { return }
        for number in [SIGINT, SIGTERM] { signal(number) { _exit(128 + $0) } }
    }

    /// Whether a terminal controls this process; `false` once that terminal is closed.
    fileprivate static var hasTerminal: Bool {
        let descriptor = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }

    /// The SIGHUPs that arrive from now on, also before ``service(_:)`` runs: a start may take minutes.
    struct HangUps: Sendable {
        private let signals: UnixSignalsSequence
        /// Whether the process should end with its terminal: it has one and was not started with `nohup`.
        private let endsWithTerminal: Bool

        init() async {
            let wasIgnored = signal(SIGHUP, SIG_IGN).map { unsafeBitCast($0, to: Int.self) == 1 } ?? false
            signals = await UnixSignalsSequence(trapping: .sighup)
            endsWithTerminal = !wasIgnored && Interrupts.hasTerminal
        }

        /// Runs `action` on each SIGHUP that a person or program sends; ends if the SIGHUP came from the closing of its
        /// terminal.
        func service(_ action: @escaping @Sendable () -> Void) -> any Service {
            HangUpService(signals: signals, endsWithTerminal: endsWithTerminal, action: action)
        }
    }

    /// Repeats an action until it fails or a signal arrives.
    static func repeating(
        every interval: Duration, _ action: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await serving([Repeating(interval: interval, action: action)])
    }

    /// Runs services until one of them ends or a signal arrives.
    static func serving(_ services: [any Service], on signals: [UnixSignal] = [.sigterm, .sigint]) async throws {
        try await group(services, on: signals).run()
    }

    /// Services that all stop, the last one first, when one of them ends or a signal arrives.
    ///
    /// - Parameter limit: How long that may take before they are cancelled; `nil` for as long as it takes.
    static func group(
        _ services: [any Service], on signals: [UnixSignal] = [.sigterm, .sigint], within limit: Duration? = nil
    ) -> ServiceGroup {
        var configuration = ServiceGroupConfiguration(
            services: services.map {
                .init(
                    service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup)
            }, gracefulShutdownSignals: signals, logger: Logger(label: "edgetick"))
        configuration.maximumGracefulShutdownDuration = limit
        return ServiceGroup(configuration: configuration)
    }
}

private struct HangUpService: Service {
    let signals: UnixSignalsSequence
    let endsWithTerminal: Bool
    let action: @Sendable () -> Void

    func run() async throws {
        for await _ in signals.cancelOnGracefulShutdown() {
            if endsWithTerminal, !Interrupts.hasTerminal { return }
            action()
        }
    }
}

private struct Repeating: Service {
    let interval: Duration
    let action: @Sendable () async throws -> Void

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: interval)) != nil {
                do {
                    try await action()
                } catch {
                    // An action that the shutdown cancelled has not failed.
                    guard Task.isCancelled else { throw error }
                    return
                }
            }
        }
    }
}

private struct WaitingService<Success: Sendable>: Service {
    let work: Task<Success, any Error>

    func run() async throws {
        await withGracefulShutdownHandler {
            _ = await work.result
        } onGracefulShutdown: {
            work.cancel()
        }
    }
}
