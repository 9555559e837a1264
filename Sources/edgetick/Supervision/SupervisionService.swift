import Collector
import Glibc
import Logging
import MarketData
import ServiceLifecycle

/// Tells the supervisor when the collector is up, that its loops are running, its state, and that it is stopping.
///
/// A sign of life is sent only while the collector is live in the sense of `/health/live`, so that a supervisor with a
/// watchdog restarts a process whose loops are stuck. Problems that a restart can't fix don't stop the signs of life,
/// nor does an HTTP server that is busy or gone.
struct SupervisionService: Service {
    let socket: SupervisorSocket
    /// Returns the collector's current state.
    let verdict: @Sendable () -> (isLive: Bool, text: String)
    let logger: Logger

    /// How often the supervisor is informed; at least once a second, since people read its status line right after a
    /// start.
    var interval: Duration { min(socket.watchdog.map { $0 / 3 } ?? .seconds(1), .seconds(1)) }

    /// Reports until the group shuts down; among the last to stop, so that the shutdown is watched too.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var failures = LogThrottle<String, ContinuousClock.Instant>()
            report("READY=1\nMAINPID=\(getpid())\n" + Self.assignments(verdict()), &failures)
            while (try? await Task.sleep(for: interval)) != nil {
                report(Self.assignments(verdict()), &failures)
            }
        }
    }

    private func report(_ assignments: String, _ failures: inout LogThrottle<String, ContinuousClock.Instant>) {
        let code = socket.send(assignments)
        guard code != 0 else {
            if failures.ended("") { logger.notice("the supervisor can be reached again") }
            return
        }
        let error = String(cString: strerror(code))
        guard let count = failures.occurred("", error, now: .now) else { return }
        logger.warning(
            "the supervisor can't be reached and does not get the collector's state",
            metadata: ["socket": "\(socket.address)", "error": "\(error)", "occurrences": "\(count)"])
    }

    /// A verdict as the supervisor reads it: a status line for people, and a sign of life if the collector is live.
    static func assignments(_ verdict: (isLive: Bool, text: String)) -> String {
        let text = verdict.text.map { $0.isNewline ? " " : $0 }
        return (verdict.isLive ? "WATCHDOG=1\n" : "") + "STATUS=" + String(text)
    }
}
