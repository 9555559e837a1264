import ArgumentParser
import MarketData
import Store
import Universe
import Wire

/// Lists the mirror's cache entries.
struct SettingsList: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the platform's settings and themes.",
        discussion: "Example: edgetick settings list --type app_settings")

    @OptionGroup var options: SettingsOptions
    @Option(help: "Only entries of this type, such as app_settings, themes or cache_config.") var type: String?
    @Flag(help: "Entries of every environment, not just of ENVIRONMENT.") var all = false
    @Flag(help: "Print JSON.") var json = false

    func run(_ settings: Settings) async throws {
        if let type, CacheEntryRecord.legacyTypes.contains(type) { LegacyNotice.warn(of: type) }
        let mirror = try UniverseMirror.open(directory: settings.dataDirectory, access: .readOnly)
        let entries = try mirror.entries(
            environment: all ? nil : settings.universe.environment.rawValue, type: type)
        if json { return print(WireJSON.text(of: entries.map(CacheEntryJSON.init))) }
        guard !entries.isEmpty else {
            return printError("No settings in the mirror. They come from the database: edgetick universe pull")
        }
        var table = TextTable([
            ("TYPE", .left), ("NAME", .left), ("KEY", .left), ("ENVIRONMENT", .left), ("VALUE", .left),
        ])
        for entry in entries {
            let value = entry.value ?? "-"
            table.add([
                entry.type, entry.name, entry.key, entry.environment,
                value.count > 60 ? "\(value.prefix(59))…" : value,
            ])
        }
        printNow(table.text)
    }
}

/// The deprecation warning for those who still look up stocks in `cache_entries`.
enum LegacyNotice {
    static func warn(of type: String, key: String? = nil) {
        let name = key.map { " \($0)" } ?? " KEY"
        printError(
            "edgetick: warning: \(type) entries are deprecated: stock universes are groups now, use edgetick universe "
                + "resolve\(name.escapingControls); edgetick universe migrate-legacy makes groups of old entries")
    }
}
