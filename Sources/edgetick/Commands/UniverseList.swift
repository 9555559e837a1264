import ArgumentParser
import MarketData
import Store
import Wire

/// Lists the groups of the mirror.
struct UniverseList: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the groups.", discussion: "Example: edgetick universe list --json")

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Print JSON.") var json = false
    @Option(help: "Only groups of this type.") var type: GroupType?
    @Flag(help: "Groups of every environment, not just of ENVIRONMENT.") var all = false

    func run(_ settings: Settings) async throws {
        let mirror = try settings.openMirror(.readOnly)
        let groups = try mirror.groups(environment: all ? nil : settings.universe.environment.rawValue)
            .filter { type == nil || $0.type == type }
        if json { return print(WireJSON.text(of: GroupsJSON(groups))) }
        guard !groups.isEmpty else {
            let advice = "Import one: edgetick universe import FILE.csv --name NAME"
            return printError("No such groups in \(settings.dataDirectory). \(advice)")
        }
        let rows = groups.map {
            [
                $0.name, $0.type.rawValue, $0.environment, $0.memberCount.grouped, $0.origin.rawValue,
                $0.description ?? "",
            ]
        }
        printNow(TextTable(["NAME", "TYPE", "ENVIRONMENT", .right("MEMBERS"), "ORIGIN", "DESCRIPTION"], rows).shown)
    }
}
