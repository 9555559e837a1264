import ArgumentParser
import Foundation
import Store
import Universe

/// Reads a list of symbols into a group of the mirror.
struct UniverseImport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Make or replace a group from a CSV file of symbols.",
        discussion: """
            Example: edgetick universe import nasdaq100.csv --name nasdaq100

            One symbol a row, with or without a header; the columns symbol (or ticker) and weight are read, others
            ignored. A bad row is named with its line and does not stop the rest.
            """)

    @OptionGroup var options: SettingsOptions
    @Argument(help: "The CSV file.") var file: String
    @Option(help: "The group's name; the file's name without its ending when not given.") var name: String?
    @Option(help: "UNIVERSE, ETF, THEME, SECTOR, SEGMENT or CUSTOM.") var type: String = "UNIVERSE"
    @Option(help: "What the group is.") var description: String?
    @Option(help: "The group's environment; ENVIRONMENT when not given.") var environment: String?
    @Flag(help: "Stop at the first bad row and change nothing.") var strict = false

    func run() async throws {
        try await reportingFailures {
            guard let groupType = GroupType(rawValue: type.uppercased()) else {
                let known = GroupType.allCases.map(\.rawValue).joined(separator: ", ")
                throw CommandFailure(.usage, "--type \(type): use one of \(known)")
            }
            let settings = try options.settings()
            let list = try SymbolListImport(csv: try Self.bytes(of: file), strict: strict)
            for problem in list.problems { printError("edgetick: \(file): \(problem.description.escapingControls)") }
            let mirror = try UniverseMirror.open(directory: settings.dataDirectory, access: .readWrite)
            let group = UniverseGroup.Definition(
                name: name ?? URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent,
                type: groupType, description: description,
                environment: environment ?? settings.universe.environment.rawValue)
            _ = try mirror.replaceGroup(group, members: list.members)
            print("\(group.name): \(list.members.count) symbols")
        }
    }

    private static func bytes(of file: String) throws -> [UInt8] {
        do {
            return [UInt8](try Data(contentsOf: URL(fileURLWithPath: file)))
        } catch {
            throw CommandFailure(.ioError, "\(file) can't be read: \((error as NSError).localizedDescription)")
        }
    }
}
