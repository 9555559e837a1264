/// docs/settings.md, made from the list of keys: every key with its default, what is allowed and what it means.
enum SettingsDocument {
    /// The document, with a last line break.
    static var markdown: String {
        var text = """
            # Settings

            Every key of the environment and of `.env`. The environment takes precedence; `edgetick config` shows the values in effect
            and where each was set. `edgetick config --markdown` prints this page.

            A key whose value is never shown can be read from a file, which holds nothing else: `MASSIVE_API_KEY_FILE` and the like
            name it. That of `RELAY_KEYS_FILE` may have each key on a line; lines that begin with `#` are left out.

            `${NAME}`, `${NAME:-otherwise}` and `$NAME` in `.env` stand for variables that are set, but not between single quotes.

            A secret that changes under a running collector: the user and password in the file of `DATABASE_URI_FILE` or
            `DATABASE_URI_TICKS_FILE` count from the next connection on, as those of `PGPASSFILE` do, without a signal. `RELAY_KEYS`
            are read again on SIGHUP, from where they were set. `MASSIVE_API_KEY`, `HTTP_TOKEN` and an address in the URI count from
            the next start.

            """
        for section in Settings.sections {
            text += "\n## \(section.title)\n\n" + table(section.settings)
            guard section.hasConnections else { continue }
            text += """

                The keys of a numbered connection, here the second; there are as many as `WEBSOCKET_CONNECTIONS_MAX`, and only the
                first is enabled by default:


                """ + table(Settings.Connection.settings(2))
        }
        return text
    }

    /// The keys for `edgetick config --help`, each with its meaning below it.
    static var list: String {
        let keys = Settings.sections.flatMap { section in
            section.settings.map { ($0.name, $0.meaning) }
                + (section.hasConnections ? Settings.Connection.settings(2).map { ($0.name, $0.meaning) } : [])
        }
        return keys.map { name, meaning in
            "  \(name)\n" + meaning.lines(of: 72, atMost: .max).map { "      \($0)" }.joined(separator: "\n")
        }.joined(separator: "\n")
    }

    private static func table<Root>(_ settings: [Setting<Root>]) -> String {
        settings.reduce("| key | default | allowed | meaning |\n|---|---|---|---|\n") { text, setting in
            let standard = setting.defaultDescription.map { "`\($0)`" } ?? ""
            let secret = setting.display.isSecret ? "; never shown" : ""
            return text + "| `\(setting.name)` | \(standard) | \(setting.allowed)\(secret) | \(setting.meaning) |\n"
        }
    }
}
