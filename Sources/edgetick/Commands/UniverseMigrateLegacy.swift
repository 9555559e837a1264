import ArgumentParser
import MarketData
import Store
import Universe
import Upstream

/// Makes groups of the lists of stocks that older set-ups keep in `cache_entries`.
struct UniverseMigrateLegacy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate-legacy", abstract: "Make groups of the stock lists in cache_entries.",
        discussion: """
            Example: edgetick universe migrate-legacy --dry-run

            Reads the rows of types stock_universe, etf_universe and stock_etf_combo from DATABASE_URI, which stays as
            it is, and makes local groups of them: index_sp500 becomes the universe sp500, sector_… a sector, theme_… a
            theme. Running it again changes nothing that is the same. edgetick universe push writes the groups upstream.
            """)

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Say what would be made and change nothing.") var dryRun = false
    @Flag(help: "Overwrite groups of the same name that no migration made.") var force = false
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        try await reportingFailures {
            let settings = try options.settings(needing: .database)
            guard let upstream = try settings.upstream() else { return }
            let snapshot = try await UniversePull.read(UniverseSource(configuration: upstream))
            let mirror = try UniverseMirror.open(directory: settings.dataDirectory, access: .readWrite)
            let migration = LegacyMigration(
                entries: snapshot.legacy, existing: try mirror.contents().groups, force: force)
            if !dryRun { try mirror.apply(migration.changes) }
            if json {
                print(try JSONText.of(migration.rows.map(Answer.init)))
            } else {
                for row in migration.rows { tell(row) }
                let made = migration.changes.count
                print("\(made) groups \(dryRun ? "would be " : "")written from \(migration.rows.count) rows")
            }
            let isPartial = migration.rows.contains { if case .unreadable = $0.outcome { true } else { false } }
            if isPartial { throw ExitCode(ExitStatus.badData.rawValue) }
        }
    }

    private func tell(_ row: LegacyMigration.Row) {
        let group = row.group.map { " → \($0.type.rawValue) \($0.name) (\($0.environment)), \(row.symbols) symbols" }
        let outcome =
            switch row.outcome {
            case .made: "new"
            case .updated: "updated"
            case .unchanged: "unchanged"
            case .kept: "LEFT ALONE, a group of this name was not made by a migration (--force overwrites it)"
            case .unreadable(let why): "NOT READ: \(why)"
            }
        print("\(row.source)\(group ?? ""): \(outcome)".escapingControls)
        if !row.refused.isEmpty {
            let names = row.refused.prefix(5).joined(separator: ", ") + (row.refused.count > 5 ? ", …" : "")
            printError(
                "edgetick: \(row.source): \(row.refused.count) entries are no symbols: \(names)".escapingControls)
        }
    }

    private struct Answer: Encodable {
        let source: String
        let name: String?
        let type: String?
        let environment: String?
        let symbols: Int
        let refused: [String]
        let outcome: String
        let reason: String?

        init(_ row: LegacyMigration.Row) {
            source = row.source
            name = row.group?.name
            type = row.group?.type.rawValue
            environment = row.group?.environment
            symbols = row.symbols
            refused = row.refused
            (outcome, reason) =
                switch row.outcome {
                case .made: ("new", nil)
                case .updated: ("updated", nil)
                case .unchanged: ("unchanged", nil)
                case .kept: ("kept", "a group of this name was not made by a migration")
                case .unreadable(let why): ("unreadable", why)
                }
        }
    }
}
