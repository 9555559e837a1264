import ArgumentParser
import FoundationEssentials
import Logging
import MarketData

/// Where a command's settings come from.
struct SettingsOptions: ParsableArguments {
    @Option(help: "Settings file in place of .env; the environment takes precedence.", completion: .file())
    var envFile: String?

    /// Everything that was set, not yet validated.
    func snapshot() throws -> (SettingsSnapshot, HostFacts) {
        let environment = ProcessInfo.processInfo.environment
        let file = try EnvironmentFile.read(named: envFile, environment: environment)
        let snapshot = SettingsSnapshot(environment: environment, file: file, reading: EnvironmentFile.secret)
        return (snapshot, HostFacts.current(environment: environment))
    }

    /// Returns the validated settings, sets up logging as they say, and logs the remarks.
    ///
    /// - Parameter needs: What the command can't do without.
    func settings(needing needs: Settings.Needs = []) throws -> Settings {
        let (snapshot, host) = try snapshot()
        let (settings, remarks) = try Settings.validate(snapshot, host: host, needs: needs)
        let (format, level) = (settings.logFormat, settings.logLevel)
        LoggingSystem.bootstrap { LineLogHandler(label: $0, level: level, format: format) }
        let logger = Logger(label: "settings")
        // Notes matter only when collecting; in other commands they would clutter the output.
        for remark in remarks where remark.severity != .note || needs.contains(.feed) {
            logger.log(level: remark.severity == .note ? .info : .warning, "\(remark.description)")
        }
        return settings
    }

    /// Returns the current settings for a process that is already running; logging stays as it is.
    func settingsAgain(needing needs: Settings.Needs) throws -> Settings {
        let (snapshot, host) = try snapshot()
        return try Settings.validate(snapshot, host: host, needs: needs).settings
    }
}

/// A command that runs with validated settings.
protocol ConfiguredCommand: AsyncParsableCommand {
    var options: SettingsOptions { get }

    /// What must be set for the command.
    var needs: Settings.Needs { get }

    func run(_ settings: Settings) async throws
}

extension ConfiguredCommand {
    var needs: Settings.Needs { [] }

    func run() async throws {
        try await reportingFailures { try await run(try options.settings(needing: needs)) }
    }
}
