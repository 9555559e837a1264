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
            """)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Show it again every two seconds, until Ctrl-C.") var watch = false

    func run() async throws {
        try await reportingFailures {
            let settings = try options.settings()
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
