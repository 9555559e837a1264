import ArgumentParser

/// Shows the platform's settings and themes, as the mirror has them.
struct SettingsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settings",
        abstract: "Show the platform's settings and themes (cache_entries), read offline from the mirror.",
        discussion: """
            Example: edgetick settings get app_settings theme

            EdgeTick's own settings are shown by edgetick config.
            """.unwrapped,
        subcommands: [SettingsList.self, SettingsGet.self], defaultSubcommand: SettingsList.self)
}
