import Collector
import Glibc
import Logging
import ServiceLifecycle

/// Tells the supervisor when the collector is up, that its loops go round, how it is, and that it stops.
///
/// A sign of life is sent only while the collector is live as `/health/live` means it, so that a supervisor with a
/// watchdog restarts a process whose loops are stuck. Problems that a restart does not fix don't stop the signs, and an
/// HTTP server that is busy or gone doesn't either.
struct SupervisionService: Service {
    let socket: SupervisorSocket
    /// The state of the collector now.
    let verdict: @Sendable () -> HealthVerdict
    let logger: Logger

    /// How often the supervisor hears: its line for people is what somebody looks at right after a start.
    var interval: Duration { min(socket.watchdog.map { $0 / 3 } ?? .seconds(1), .seconds(1)) }

    /// Reports until the group shuts down; the last to stop, so that the way down is watched too.
    func run() async throws {
        report("READY=1\nMAINPID=\(getpid())\n" + Self.assignments(verdict()))
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: interval)) != nil {
                report(Self.assignments(verdict()))
            }
        }
    }

    private func report(_ assignments: String) {
        let code = socket.send(assignments)
        guard code != 0 else { return }
        logger.warning(
            "the supervisor can't be reached with the collector's state",
            metadata: ["socket": "\(socket.address)", "error": "\(String(cString: strerror(code)))"])
    }

    /// What a verdict is to the supervisor: a line for people, and a sign of life where there is life.
    static func assignments(_ verdict: HealthVerdict) -> String {
        let text = verdict.text.map { $0.isNewline ? " " : $0 }
        return (verdict.isLive ? "WATCHDOG=1\n" : "") + "STATUS=" + String(text)
    }

    /// The first to hear of a shutdown: informs the supervisor.
    struct StopNotice: Service {
        let socket: SupervisorSocket

        func run() async throws {
            try? await gracefulShutdown()
            socket.send("STOPPING=1\nSTATUS=stopping: committing what is held")
        }
    }
}
