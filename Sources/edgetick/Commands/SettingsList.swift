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
        let mirror = try settings.openMirror(.readOnly)
        let environment = all ? nil : settings.universe.environment.rawValue
        let entries = try mirror.withSnapshot { try $0.entries(environment: environment, type: type) }
        if json { return print(WireJSON.text(of: entries.map(CacheEntryJSON.init))) }
        guard !entries.isEmpty else {
            return printError("No settings in the mirror. They come from the database: edgetick universe pull")
        }
        let rows = entries.map { [$0.type, $0.name, $0.key, $0.environment, ($0.value ?? "-").cut(to: 60)] }
        printNow(TextTable(["TYPE", "NAME", "KEY", "ENVIRONMENT", "VALUE"], rows).shown)
    }
}

/// The deprecation warning for those who still look up stocks in `cache_entries`.
enum LegacyNotice {
    static func warn(of type: String, key: String? = nil) {
        let name = key.map { " \($0)" } ?? " KEY"
        printWarning(
            "\(type) entries are deprecated: stock universes are groups now, use edgetick universe "
                + "resolve\(name); edgetick universe migrate-legacy makes groups of old entries")
    }
}
