import ArgumentParser
import MarketData
import Store
import Universe
import Wire

/// Removes a local group.
struct UniverseRemove: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a local group.",
        discussion: """
            Example: edgetick universe remove nasdaq100

            If the database has a group of the same name, that one is used again from the next pull on. Remove a group that
            came from the database there: the next pull would restore it.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Argument(help: "The group's name.") var name: String
    @Option(help: "The group's type, where several groups have the name.") var type: GroupType?
    @Flag(help: "Print JSON.") var json = false

    func run(_ settings: Settings) async throws {
        let group = try settings.openMirror(.readOnly).group(named: name, type: type, settings)
        let identity = group.record.identity
        guard group.origin == .local else {
            throw CommandFailure(
                .badData,
                "\(identity.text) came from the database, and the next pull would restore it: remove it there")
        }
        try settings.openMirror(.readWrite).removeGroups([identity])
        let answer = RemovedGroupJSON(group.record)
        if json { return print(WireJSON.text(of: answer)) }
        print("removed \(identity.text), \(answer.members.counted("member"))".escapingControls)
    }
}
