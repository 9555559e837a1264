/// A settings file to start from, made from the list of keys: first the keys that everybody needs, then every other key,
/// commented out and with its default.
enum SettingsTemplate {
    /// The keys at the top, each with an example value and whether its line is active.
    private static let first: [(path: any PartialKeyPath<Settings> & Sendable, example: String, isOn: Bool)] = [
        (\.feed.apiKey, "", true),
        (\.connections.symbols, "AAPL,MSFT", true),
        (\.feed.events, "AM", true),
        (\.upload.databaseURI, "postgresql://edgetick:password@db.example.com/market", false),
    ]

    /// The file's text, with a final line feed.
    ///
    /// - Parameter host: Where the file will be used: a service's data directory is written out, so that commands run
    ///   by hand find the service's files.
    static func text(host: HostFacts) -> String {
        var text = """
            # Settings of EdgeTick. A line that begins with # is off; the environment takes precedence over this file.
            # `edgetick config --env-file FILE` shows what is in effect, `edgetick doctor --env-file FILE` tries it out.

            # The five that matter first.


            """
        for (path, example, isOn) in first { text += entry(Settings.setting(path), example, isOn: isOn) + "\n" }
        let directory = Settings.setting(\.dataDirectory)
        text += entry(directory, host.stateDirectory ?? "", isOn: host.stateDirectory != nil)
        let shown = Set(first.map { $0.path as PartialKeyPath<Settings> } + [\Settings.dataDirectory])
        for section in Settings.sections {
            var entries = section.settings.filter { !shown.contains($0.path) }.map { entry($0, $0.defaultValue) }
            if section.hasConnections { entries += Settings.Connection.settings(1).map { entry($0, $0.defaultValue) } }
            text += "\n\n# ---- \(section.title) ----\n\n" + entries.joined(separator: "\n")
        }
        return text
    }

    private static func entry<Root>(_ setting: Setting<Root>, _ value: String, isOn: Bool = false) -> String {
        // A default that depends on the machine is described, not written.
        let words = setting.defaultValue.isEmpty ? setting.defaultDescription.map { "; default: \($0)" } ?? "" : ""
        return "# \(setting.meaning) (\(setting.allowed)\(words))\n\(isOn ? "" : "#")\(setting.name)=\(value)\n"
    }
}
