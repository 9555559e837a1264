import ArgumentParser
import Collector
import MarketData
import Store
import Wire

/// Shows the state of the collector: from the running process if it responds, otherwise from its files.
struct StatusCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show the state of the collector: connections, buffer, upload, losses.",
        discussion: """
            Example: edgetick status --watch

            Asks the collector that runs on this data directory over HTTP; if none runs, or it does not answer, the state
            is read from the files. --json prints both: the files' state, and the collector's own under "instance".

            --check prints one line; the exit code is 0 if all is well, 1 if health is degraded, 2 if it is failing or the
            collector does not answer, 3 if none runs. Other failures exit as every command does.
            """.unwrapped)

    /// The state of a collector.
    private enum Standing {
        case running(Health.Level)
        case notRunning

        /// The exit code of `--check`.
        var exitCode: Int32 {
            switch self {
            case .running(let level): Int32(level.severity)
            case .notRunning: 3
            }
        }

        var word: String {
            switch self {
            case .running(let level): level.rawValue
            case .notRunning: "not running"
            }
        }
    }

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Show it again every two seconds, until Ctrl-C.") var watch = false
    @Flag(help: "Exit with 0 for ok, 1 degraded, 2 failing, 3 not running.") var check = false

    func validate() throws {
        if check { try refuse(["--watch": watch], with: "--check") }
    }

    func run(_ settings: Settings) async throws {
        guard !check else { return try await checkOnce(settings) }
        guard watch else { return TerminalScreen.show(try await page(settings)) }
        try await TerminalScreen.watch { try await page(settings) }
    }

    /// Prints the collector's state as one line or as JSON, and exits with the matching code.
    private func checkOnce(_ settings: Settings) async throws {
        let (standing, text) = try await standing(settings)
        if json {
            do {
                TerminalScreen.show(try await page(settings))
            } catch let error as StoreError where error.reason == .missing {
                // There is no file to describe, and the exit code says so.
                printRemark(text)
            }
        } else {
            print("\(standing.word): \(text.escapingControls)")
        }
        guard standing.exitCode == 0 else { throw ExitCode(standing.exitCode) }
    }

    private func standing(_ settings: Settings) async throws -> (Standing, String) {
        let report: BufferReport
        do {
            report = try BufferReport.read(directory: settings.dataDirectory)
        } catch {
            guard error.reason == .missing else { throw error }
            return (.notRunning, "no collector has run on \(settings.dataDirectory)")
        }
        guard let holder = report.collectorProcess else {
            let other =
                report.holder.map { "; another edgetick command, process \($0.processID), holds the files" } ?? ""
            return (.notRunning, "no collector runs on \(settings.dataDirectory)\(other)")
        }
        guard let api = LocalAPI(settings) else {
            return (
                .running(.failing),
                "process \(holder) holds the files but has no HTTP address; it may be starting or stopping"
            )
        }
        do throws(LocalAPI.Failure) {
            let health = try await api.status().health
            return (.running(health.status), health.headline ?? "everything is as the settings say")
        } catch {
            return (.running(.failing), "process \(holder) holds the files, but \(error.description)")
        }
    }

    private func page(_ settings: Settings) async throws -> TerminalScreen.Page {
        let report = try BufferReport.read(directory: settings.dataDirectory)
        var instance: StatusJSON?
        var remark: String?
        if report.collectorProcess != nil, let api = LocalAPI(settings) {
            do {
                let status = try await api.status()
                if !json {
                    let text = StatusText(
                        status: status, gaps: try GapCounts(directory: settings.dataDirectory), address: api.address,
                        paint: .ofStandardOutput(), width: TerminalScreen.columns())
                    return (text.page, nil)
                }
                instance = status
            } catch let error as LocalAPI.Failure {
                remark = error.description
            }
        }
        if json { return (WireJSON.text(of: FilesJSON(report, instance: instance)) + "\n", nil) }
        let page = FileStatus(
            report: report, gaps: try GapCounts(directory: settings.dataDirectory),
            isUploading: settings.upload.databaseURI != nil, width: TerminalScreen.columns()
        ).page
        return (page, remark.map { "edgetick: \($0.escapingControls); the files say:" })
    }
}
