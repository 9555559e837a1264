import FoundationEssentials
import Glibc

/// The demo's collector: this program, run as `edgetick run` in a process that can be killed.
struct DemoCollector {
    let directory: String
    let log: String
    private let program: String
    private let environment: [String: String]

    /// - Parameter settings: The only settings that the collector gets: it sees neither this process's settings nor a
    ///   `.env`.
    init(directory: String, settings: [String: String]) throws {
        self.directory = directory
        log = directory + "/collector.log"
        program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let inherited: Set = ["PATH", "HOME", "TZ", "LD_LIBRARY_PATH", "LD_PRELOAD"]
        let own = ProcessInfo.processInfo.environment.filter { inherited.contains($0.key) }
        environment = settings.merging(own) { $1 }
    }

    /// Starts it and waits until its page can be opened.
    ///
    /// - Parameter port: The page's port; `nil` leaves it to the settings.
    func start(port: Int?) async throws -> (process: DemoProcess, address: String) {
        let file = directory + "/" + WebListener.addressFileName
        unlink(file)
        var environment = environment
        if let port { environment["HTTP_PORT"] = "\(port)" }
        let process = try launch("run", environment)
        for _ in 0..<600 {
            if let text = try? String(contentsOfFile: file, encoding: .utf8), text.hasSuffix("\n") {
                return (process, String(text.dropLast()))
            }
            guard kill(process.id, 0) == 0 else { break }
            // The sleep runs in a task that isn't cancelled: a shutdown waits until the collector is up and can be
            // stopped cleanly.
            await Task.detached { try? await Task.sleep(for: .milliseconds(50)) }.value
        }
        await process.end(SIGKILL)
        throw CommandFailure(.unavailable, "the collector did not start; see \(log)")
    }

    /// Runs another command of this program with the same settings.
    func run(_ command: String) async throws {
        let status = await (try launch(command, environment)).exit()
        guard status == 0 else {
            throw CommandFailure(.unavailable, "edgetick \(command) failed with exit code \(status); see \(log)")
        }
    }

    private func launch(_ command: String, _ environment: [String: String]) throws(CommandFailure) -> DemoProcess {
        try DemoProcess([program, command, "--env-file", "/dev/null"], environment: environment, log: log)
    }
}
