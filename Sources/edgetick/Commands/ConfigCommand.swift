import ArgumentParser
import MarketData
import Wire

/// Shows the settings in effect and where each came from.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Show every setting, its value and where it came from; secrets masked.",
        discussion: """
            Example: edgetick config --json
                     edgetick config --template > .env

            Keys, read from the environment and from .env; the environment takes precedence:

            \(SettingsDocument.list)
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Print a settings file to begin with: every key with its meaning and its default.") var template = false
    @Flag(help: "Print the list of keys, with what each allows and means, as Markdown.") var markdown = false

    func validate() throws {
        guard [json, template, markdown].count(where: \.self) <= 1 else {
            throw ValidationError("give only one of --json, --template and --markdown")
        }
    }

    func run() async throws {
        try await reportingFailures {
            if markdown { return printNow(SettingsDocument.markdown) }
            if template {
                return printNow(SettingsTemplate.text(host: .current()))
            }
            let (snapshot, host) = try options.snapshot()
            let report = SettingsReport(snapshot, host: host, needs: .feed)
            printNow(json ? WireJSON.text(of: report.json) + "\n" : report.table.shown)
            for finding in report.findings { printRemark("\(finding.severity.rawValue): \(finding.description)") }
            if report.hasFaults { throw ExitCode(ExitStatus.configuration.rawValue) }
        }
    }
}
