import ArgumentParser

/// Shows the settings in effect and where each came from.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Show every setting, its value and where it came from; secrets masked.",
        discussion: """
            Example: edgetick config --json

            Keys, from the environment and from .env, of which the environment takes precedence:

            \(SettingsDocument.list)
            """)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Print the list of keys, with what each allows and means, as Markdown.") var markdown = false

    func run() async throws {
        try await reportingFailures {
            if markdown { return printNow(SettingsDocument.markdown) }
            let (snapshot, host) = try options.snapshot()
            let report = SettingsReport(snapshot, host: host, needs: .feed)
            printNow(json ? try report.json() + "\n" : report.table)
            for finding in report.findings {
                printError("edgetick: \(finding.severity.rawValue): \(finding.description.escapingControls)")
            }
            if report.hasFaults { throw ExitCode(ExitStatus.configuration.rawValue) }
        }
    }
}
