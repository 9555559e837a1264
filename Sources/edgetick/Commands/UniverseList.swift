import ArgumentParser
import MarketData
import Store
import Wire

/// Lists the groups of the mirror.
struct UniverseList: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the groups.",
        discussion: "Example: edgetick universe list --json")

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Print JSON.") var json = false
    @Option(help: "Only groups of this type: UNIVERSE, ETF, THEME, SECTOR, SEGMENT or CUSTOM.") var type: GroupType?
    @Flag(help: "Groups of every environment, not just of ENVIRONMENT.") var all = false

    func run(_ settings: Settings) async throws {
        let mirror = try UniverseMirror.open(directory: settings.dataDirectory, access: .readOnly)
        let groups = try mirror.groups(environment: all ? nil : settings.universe.environment.rawValue)
            .filter { type == nil || $0.type == type }
        if json { return print(WireJSON.text(of: GroupsJSON(groups))) }
        guard !groups.isEmpty else {
            return printError(
                "No such groups in \(settings.dataDirectory). Import one: edgetick universe import FILE.csv --name NAME"
            )
        }
        var table = TextTable([
            ("NAME", .left), ("TYPE", .left), ("ENVIRONMENT", .left), ("MEMBERS", .right), ("ORIGIN", .left),
            ("DESCRIPTION", .left),
        ])
        for group in groups {
            table.add([
                group.name, group.type.rawValue, group.environment, group.memberCount.grouped,
                group.origin.rawValue, group.description ?? "",
            ])
        }
        printNow(table.text)
    }
}
