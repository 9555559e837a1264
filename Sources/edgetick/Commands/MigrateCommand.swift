import ArgumentParser
import Upstream

/// Creates or checks the tables upstream.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Create the upstream tables, or check those that exist.",
        discussion: """
            Example: edgetick migrate --print | less

            Tables that exist are checked and never altered. Where one that FEED_EVENTS needs can't be used, the exit code
            is 78, and the statements that help are printed for whoever owns the tables.
            """)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Print the SQL and change nothing.") var print = false

    func run() async throws {
        try await reportingFailures {
            if self.print { return Swift.print(UpstreamSchema.sql) }
            let settings = try options.settings(needing: .database)
            guard let upstream = try settings.upstream() else { return }
            let changes = try await UpstreamSchema.migrate(upstream, for: settings.feed.events)
            for change in changes {
                Swift.print("\(change)".escapingControls)
                for warning in change.warnings {
                    printError("edgetick: warning: \(change.table): \(warning)".escapingControls)
                }
            }
            let unusable = changes.filter(\.stopsUpload)
            guard unusable.isEmpty else {
                let recipe = SchemaChange.recipe(changes)
                if !recipe.isEmpty { Swift.print("\n-- for whoever owns the tables") }
                for line in recipe { Swift.print(line.escapingControls) }
                throw CommandFailure(
                    .configuration,
                    "these tables can't be used as they are: \(unusable.map(\.table).joined(separator: ", "))")
            }
        }
    }
}
