import ArgumentParser
import MarketData
import Store
import Universe
import Wire

/// Prints one of the mirror's cache entries.
struct SettingsGet: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "get", abstract: "Print the value of one setting.",
        discussion: """
            Example: edgetick settings get app_settings display theme

            The parts are the columns type, name and key; without a key every entry of that name is printed.
            """.unwrapped)

    @OptionGroup var options: SettingsOptions
    @Argument(help: "The type, such as app_settings, themes or cache_config.") var type: String
    @Argument(help: "The name.") var name: String
    @Argument(help: "The key.") var key: String?
    @Flag(help: "Print JSON with type, name, key and time.") var json = false

    func run(_ settings: Settings) async throws {
        let mirror = try settings.openMirror(.readOnly)
        let environment = settings.universe.environment.rawValue
        if CacheEntryRecord.legacyTypes.contains(type) { return try printLegacy(mirror, environment) }
        let ofType = try mirror.withSnapshot { try $0.entries(environment: environment, type: type) }
        let found = ofType.filter { $0.name == name && (key == nil || $0.key == key) }
        guard !found.isEmpty else {
            let entry = [type, name, key].compactMap(\.self).joined(separator: " ")
            let guess = NearestNames.guess(name, among: ofType.map(\.name)).map { ": \($0)" } ?? ""
            throw CommandFailure(.badData, "there is no setting \(entry) in environment \(environment)\(guess)")
        }
        if json { return print(WireJSON.text(of: found.map(CacheEntryJSON.init))) }
        for entry in found {
            let value = (entry.value ?? "").escapingControls
            print(key == nil && found.count > 1 ? "\(entry.key.escapingControls)\t\(value)" : value)
        }
    }

    /// Prints the symbols of the group that an old entry became, with a deprecation warning.
    private func printLegacy(_ mirror: UniverseMirror, _ environment: String) throws {
        let keys = LegacyMigration.keys(
            of: CacheEntryRecord(type: type, name: name, key: key ?? "", value: nil, environment: environment))
        LegacyNotice.warn(of: type, key: keys.first)
        let universe = GroupType.universe.rawValue
        let found: MirrorContents.Group? = try mirror.withSnapshot { snapshot in
            for key in keys {
                let identity = GroupRecord.Identity(name: key, type: universe, environment: environment)
                if let group = try snapshot.group(identity) { return group }
            }
            return nil
        }
        guard let found else {
            let names = keys.map { "\"\($0)\"" }.joined(separator: " or ")
            throw CommandFailure(.badData, "there is no \(universe) group \(names) that this entry became")
        }
        let symbols = found.record.members.map(\.symbol)
        if json { return print(WireJSON.text(of: symbols)) }
        for symbol in symbols { print(symbol.escapingControls) }
    }
}
