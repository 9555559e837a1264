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

    /// Returns the current settings for a process that is already running, and logs the warnings; how it logs stays as it
    /// is.
    ///
    /// - Parameter start: The settings with which the process started.
    /// - Throws: if the settings file is gone, or empty, as a pipe is when it is read again. What it set would go back to
    ///   the defaults.
    func settingsAgain(needing needs: Settings.Needs, after start: Settings) throws -> Settings {
        let (snapshot, host) = try snapshot()
        guard snapshot.hasFile || !start.hasFile else {
            throw ConfigurationError(
                path: envFile ?? ".env",
                text: "is gone or sets nothing, but did at the start: put the file back, or restart")
        }
        let (settings, remarks) = try Settings.validate(snapshot, host: host, needs: needs)
        let logger = Logger(label: "settings")
        for remark in remarks where remark.severity == .warning { logger.warning("\(remark.description)") }
        return settings
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
