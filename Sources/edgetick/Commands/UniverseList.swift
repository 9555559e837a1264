import ArgumentParser
import Store

/// Lists the groups of the mirror.
struct UniverseList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the groups.",
        discussion: "Example: edgetick universe list --json")

    @OptionGroup var options: SettingsOptions
    @Flag(help: "Print JSON.") var json = false
    @Option(help: "Only groups of this type: UNIVERSE, ETF, THEME, SECTOR, SEGMENT or CUSTOM.") var type: String?
    @Flag(help: "Groups of every environment, not just of ENVIRONMENT.") var all = false

    func run() async throws {
        try await reportingFailures {
            let settings = try options.settings()
            let mirror = try UniverseMirror.open(directory: settings.dataDirectory, access: .readOnly)
            let type = try type.map { try GroupType(argument: $0) }
            let groups = try mirror.groups(environment: all ? nil : settings.universe.environment.rawValue)
                .filter { type == nil || $0.type == type }
            if json { return print(try JSONText.of(groups.map(Row.init))) }
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
            print(table.text, terminator: "")
        }
    }

    private struct Row: Encodable {
        let name: String
        let type: String
        let environment: String
        let members: Int
        let origin: String
        let description: String?

        init(_ group: UniverseGroup) {
            name = group.name
            type = group.type.rawValue
            environment = group.environment
            members = group.memberCount
            origin = group.origin.rawValue
            description = group.description
        }
    }
}
