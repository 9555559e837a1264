import ArgumentParser
import FoundationEssentials
import Glibc
import Logging

/// Where a command's settings come from.
struct SettingsOptions: ParsableArguments {
    @Option(help: "File of settings in place of .env; the environment wins over it.", completion: .file())
    var envFile: String?

    /// What was set, unchecked.
    func snapshot() throws -> (SettingsSnapshot, HostFacts) {
        let environment = ProcessInfo.processInfo.environment
        let file = try EnvironmentFile.read(named: envFile, environment: environment)
        let snapshot = SettingsSnapshot(environment: environment, file: file, reading: EnvironmentFile.secret)
        return (snapshot, HostFacts.current(environment: environment))
    }

    /// The checked settings; logging is set up as they say, and what was remarked is logged.
    ///
    /// - Parameter needs: What the command can't do without.
    func settings(needing needs: Settings.Needs = []) throws -> Settings {
        let (snapshot, host) = try snapshot()
        let (settings, remarks) = try Settings.validate(snapshot, host: host, needs: needs)
        let (format, level) = (settings.logFormat, settings.logLevel)
        LoggingSystem.bootstrap { LineLogHandler(label: $0, level: level, format: format) }
        let logger = Logger(label: "settings")
        // What is merely so matters to those who collect; for the rest it would be among their answers.
        for remark in remarks where remark.severity != .note || needs.contains(.feed) {
            logger.log(level: remark.severity == .note ? .info : .warning, "\(remark.description)")
        }
        return settings
    }

    /// The settings as they are now, for a process that runs already: logging stays as it was set up.
    func settingsAgain(needing needs: Settings.Needs) throws -> Settings {
        let (snapshot, host) = try snapshot()
        do {
            return try Settings.validate(snapshot, host: host, needs: needs).settings
        } catch {
            throw RereadFault(text: error.faults.map(\.description).joined(separator: "; "))
        }
    }

    /// Faults of settings that were read again, in one line.
    struct RereadFault: Error, CustomStringConvertible {
        let text: String
        var description: String { text }
    }
}

/// A command that works as the settings say.
protocol ConfiguredCommand: AsyncParsableCommand {
    var options: SettingsOptions { get }

    /// What must be set for it.
    var needs: Settings.Needs { get }

    func run(_ settings: Settings) async throws
}

extension ConfiguredCommand {
    var needs: Settings.Needs { [] }

    func run() async throws {
        try await reportingFailures { try await run(try options.settings(needing: needs)) }
    }
}
