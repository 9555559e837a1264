import ArgumentParser
import MarketData
import Store
import Universe
import Upstream
import Wire

/// Creates groups from the stock lists that older installations keep in `cache_entries`.
struct UniverseMigrateLegacy: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate-legacy", abstract: "Create groups from the stock lists in cache_entries.",
        discussion: """
            Example: edgetick universe migrate-legacy --dry-run

            Reads the rows of types stock_universe, etf_universe and stock_etf_combo from DATABASE_URI, without changing
            them, and creates local groups. Each list becomes a universe under its old keys, NAME:KEY and KEY, so that
            settings keep their meaning; lists with the same key are joined. A stock list index_sp500 also becomes the
            universe sp500, sector_… a sector, theme_… a theme. Running it again changes only what has changed.
            edgetick universe push writes the groups upstream.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Show what would be created and change nothing.") var dryRun = false
    @Flag(help: "Overwrite groups of the same name that were not created by a migration.") var force = false
    @Flag(help: "Print JSON.") var json = false

    var needs: Settings.Needs { .database }

    func run(_ settings: Settings) async throws {
        guard let upstream = try settings.upstream() else { return }
        let snapshot = try await UniversePull.read(UniverseSource(configuration: upstream), withLegacy: true)
        let migration = try await settings.withMirror(isDryRun: dryRun) { mirror -> LegacyMigration in
            let existing = try mirror.contents().groups
            let migration = LegacyMigration(entries: snapshot.legacy, existing: existing, force: force)
            if !dryRun { try mirror.apply(migration.changes) }
            return migration
        }
        if json {
            print(WireJSON.text(of: migration.rows.map(LegacyListJSON.init)))
        } else {
            for row in migration.rows { printResult(row) }
            let made = "\(migration.changes.count.counted("group")) \(dryRun ? "would be " : "")written"
            print("\(made) from \(migration.rows.count.counted("row"))")
        }
        if migration.rows.contains(where: { $0.fault != nil }) { throw ExitCode(ExitStatus.badData.rawValue) }
    }

    private func printResult(_ row: LegacyMigration.Row) {
        if let fault = row.fault { print("\(row.source): NOT READ: \(fault)".escapingControls) }
        for group in row.groups {
            let outcome =
                switch group.outcome {
                case .made: "new"
                case .updated: "updated"
                case .unchanged: "unchanged"
                case .kept: "LEFT ALONE, a group of this name was not made by a migration (--force overwrites it)"
                }
            let definition = group.definition
            let name = "\(definition.type.rawValue) \(definition.name) (\(definition.environment))"
            print("\(row.source) → \(name), \(group.symbols.counted("symbol")): \(outcome)".escapingControls)
        }
        if !row.refused.isEmpty {
            let names = DisplayText.list(row.refused)
            printRemark("\(row.source): left out what is not a symbol (\(row.refused.count)): \(names)")
        }
    }
}
