import ArgumentParser
import Foundation
import MarketData
import ServiceLifecycle
import Store

/// Shows how the collector stands: as the running one says itself, else as its files say.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how the collector stands: connections, buffer, upload, losses.",
        discussion: """
            Example: edgetick status --watch

            Asks the collector that runs on this data directory over HTTP; when none runs, or it does not answer, the
            files tell. With --json both are given: what the files say, and under "instance" what the collector says.

            With --check one line says how it stands, and the exit code is 0 when all is well, 1 when health is
            degraded, 2 when it is failing or the collector does not answer, 3 when none runs. Other failures exit as
            every command does.
            """)

    /// How a collector stands, as `--check` exits.
    enum Standing: Int32, Sendable {
        case ok
        case degraded
        case failing
        case notRunning

        var word: String {
            switch self {
            case .ok: "ok"
            case .degraded: "degraded"
            case .failing: "failing"
            case .notRunning: "not running"
            }
        }
    }

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Show it again every two seconds, until Ctrl-C.") var watch = false
    @Flag(help: "Exit with 0 for ok, 1 degraded, 2 failing, 3 not running.") var check = false

    func validate() throws {
        guard !check || !watch else { throw ValidationError("--check and --watch don't go together.") }
    }

    func run() async throws {
        try await reportingFailures {
            let settings = try options.settings()
            guard !check else { return try checkOnce(settings) }
            guard watch else { return try show(settings) }
            try show(settings)
            let isTerminal = isatty(STDOUT_FILENO) == 1
            try await Interrupts.serving([
                Repeating(interval: .seconds(2)) {
                    if isTerminal { printNow("\u{1B}[H\u{1B}[J") } else { printNow("\n") }
                    try show(settings)
                }
            ])
        }
    }

    /// Says in a line how the collector stands, or prints JSON, and exits with what it came to.
    private func checkOnce(_ settings: Settings) throws {
        let (standing, text) = try standing(settings)
        if json { try show(settings) } else { print("\(standing.word): \(text.escapingControls)") }
        guard standing == .ok else { throw ExitCode(standing.rawValue) }
    }

    private func standing(_ settings: Settings) throws -> (Standing, String) {
        let report: BufferReport
        do {
            report = try BufferReport.read(directory: settings.dataDirectory)
        } catch {
            guard error.reason == .missing else { throw error }
            return (.notRunning, "no collector has run on \(settings.dataDirectory)")
        }
        guard let holder = report.holder else { return (.notRunning, "no collector runs on \(settings.dataDirectory)") }
        guard let api = LocalAPI(directory: settings.dataDirectory, token: settings.http.token) else {
            return (.failing, "process \(holder) holds the files and has no HTTP address")
        }
        do throws(LocalAPI.Failure) {
            guard let status = Self.decode(try api.get("/api/status")) else {
                return (.failing, "\(api.address) answers in another form; it is of another version")
            }
            return (status.health.standing, status.health.headline ?? "everything is as the settings say")
        } catch {
            return (.failing, "process \(holder) holds the files, but \(error.description)")
        }
    }

    private func show(_ settings: Settings) throws {
        let report = try BufferReport.read(directory: settings.dataDirectory)
        var instance: [String: Any]?
        var remark: String?
        if report.holder != nil, let api = LocalAPI(directory: settings.dataDirectory, token: settings.http.token) {
            do throws(LocalAPI.Failure) {
                let found = try api.get("/api/status")
                instance = found
                if !json, let status = Self.decode(found) {
                    printNow(StatusText(status: status, address: api.address, paint: .ofStandardOutput()).page)
                    return
                }
            } catch {
                remark = error.description
            }
        }
        if json { return print(try FileStatus(report).json(instance: instance)) }
        if let remark { printError("edgetick: \(remark.escapingControls); the files say:") }
        printNow(FileStatus(report).page)
    }

    private static func decode(_ object: [String: Any]) -> StatusText.Status? {
        guard let data = try? JSONSerialization.data(withJSONObject: object) else { return nil }
        return try? JSONDecoder().decode(StatusText.Status.self, from: data)
    }
}

/// Does something again and again until graceful shutdown.
struct Repeating: Service {
    let interval: Duration
    let body: @Sendable () throws -> Void

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            while true {
                do {
                    try await Task.sleep(for: interval)
                } catch {
                    return
                }
                try body()
            }
        }
    }
}
