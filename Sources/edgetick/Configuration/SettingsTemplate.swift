/// A settings file to begin with, out of the keys' own list: what everybody needs first, then every other key, off and at
/// its default.
enum SettingsTemplate {
    /// The keys that are written out, with what is written beside them.
    private static let first: [(path: any PartialKeyPath<Settings> & Sendable, example: String, isOn: Bool)] = [
        (\.feed.apiKey, "", true),
        (\.connections.symbols, "AAPL,MSFT", true),
        (\.feed.events, "AM", true),
        (\.upload.databaseURI, "postgresql://edgetick:password@db.example.com/market", false),
    ]

    /// The file, with a last line break.
    ///
    /// - Parameter host: Where it will be used: a service's data directory is written out, so that commands by hand find
    ///   the service's files.
    static func text(host: HostFacts) -> String {
        var text = """
            # Settings of EdgeTick. A line that begins with # is off; the environment takes precedence over this file.
            # `edgetick config --env-file FILE` shows what is in effect, `edgetick doctor --env-file FILE` tries it out.

            # The five that matter first.


            """
        for (path, example, isOn) in first {
            text += entry(Settings.setting(path), example, isOn: isOn) + "\n"
        }
        let directory = Settings.setting(\.dataDirectory)
        text += entry(directory, host.stateDirectory ?? "", isOn: host.stateDirectory != nil)
        let shown = Set(first.map { $0.path as PartialKeyPath<Settings> } + [\Settings.dataDirectory])
        for section in Settings.sections {
            var entries = section.settings.filter { !shown.contains($0.path) }.map { entry($0, $0.defaultValue) }
            if section.hasConnections {
                entries += Settings.Connection.settings(1).map { entry($0, $0.defaultValue) }
            }
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
