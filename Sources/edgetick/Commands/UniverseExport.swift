import ArgumentParser
import FoundationEssentials
import MarketData
import Store
import Universe

/// Writes the whole mirror, or one group, as a backup or for another program.
struct UniverseExport: ConfiguredCommand {
    /// The form of a backup.
    enum Format: String, CaseIterable, ExpressibleByArgument {
        case json
        case csv

        init?(argument: String) { self.init(rawValue: argument.lowercased()) }
    }

    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write the whole mirror as a backup, or one group as CSV.",
        discussion: """
            Examples: edgetick universe export --output backup.json
                      edgetick universe export --format csv --output backup/
                      edgetick universe export nasdaq100 --output nasdaq100.csv

            edgetick universe import restores a backup exactly, and reads a group's CSV too.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Argument(help: "A group; default: the whole mirror.") var name: String?
    @Option(help: "The group's type, where several groups have the name.") var type: GroupType?
    @Option(help: "The form of a backup; csv writes a directory; default: json.") var format: Format?
    @Option(help: "The file or directory to write; default: standard output.", completion: .file())
    var output: String?

    func validate() throws {
        if name == nil, type != nil { throw ValidationError("--type goes with a group's name") }
        if name != nil, format == .json {
            throw ValidationError(
                "one group is written as CSV: leave out --format; edgetick universe show NAME --json prints it as JSON")
        }
    }

    func run(_ settings: Settings) async throws {
        let mirror = try settings.openMirror(.readOnly)
        if let name {
            let group = try mirror.group(named: name, type: type, settings)
            return try write(UniverseArchive.list(of: group.record))
        }
        let contents = try mirror.contents()
        switch format ?? .json {
        case .json: try write(try UniverseArchive.json(contents))
        case .csv:
            guard let output else {
                throw CommandFailure(.usage, "--format csv writes several files: name a directory with --output")
            }
            try failing(as: "\(output) can't be created") {
                try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
            }
            for file in UniverseArchive.csv(contents) { try Self.write(file.bytes, to: "\(output)/\(file.name)") }
        }
        let memberships = contents.groups.reduce(0) { $0 + $1.record.members.count }
        let size = "\(contents.groups.count.counted("group")), \(memberships.counted("membership"))"
        printError("\(size), \(contents.entries.count.counted("setting"))" + (output.map { " → \($0)" } ?? ""))
    }

    private func write(_ bytes: [UInt8]) throws {
        guard let output else { return StandardStream.printNow(bytes) }
        try Self.write(bytes, to: output)
    }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        try failing(as: "\(path) can't be written") {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
        }
    }
}
