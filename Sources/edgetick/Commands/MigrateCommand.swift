import ArgumentParser
import Upstream

/// Creates or checks the tables upstream.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Create the upstream tables, or check those that exist.",
        discussion: """
            Example: edgetick migrate --print | less

            Tables that exist are checked and never altered.
            """)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Print the SQL and change nothing.") var print = false

    func run() async throws {
        try await reportingFailures {
            if self.print { return Swift.print(UpstreamSchema.sql) }
            let settings = try options.settings(needing: .database)
            guard let upstream = try settings.upstream() else { return }
            for change in try await UpstreamSchema.migrate(upstream) { Swift.print(change) }
        }
    }
}
