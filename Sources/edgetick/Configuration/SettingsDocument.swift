/// docs/settings.md, made from the list of keys: every key with its default, what is allowed and what it means.
enum SettingsDocument {
    /// The document, with a last line break.
    static var markdown: String {
        var text = """
            # Settings

            EdgeTick reads these keys from the environment and from `.env`. The environment takes precedence; `edgetick config`
            shows the values in effect and where each was set. `edgetick config --markdown` prints this page.

            A value that is marked as never shown can come from a file that contains nothing else: set `MASSIVE_API_KEY_FILE` (and
            likewise for other keys, also `HTTPS_PROXY` and `ALL_PROXY`) to the file's path. The file of `RELAY_KEYS_FILE` may have
            each key on a line of its own; lines that begin with `#` are ignored.

            In `.env`, `${NAME}`, `${NAME:-otherwise}` and `$NAME` are replaced by the values of variables that the environment or
            an earlier line sets, except between single quotes or backticks. A `${NAME}` that nothing sets is an error.

            If a secret changes while a collector runs, a new user or password in the file of `DATABASE_URI_FILE`,
            `DATABASE_URI_TICKS_FILE` or `PGPASSFILE` is used from the next connection on, without a signal. `RELAY_KEYS` are read
            again on SIGHUP, from where they were set. A new `MASSIVE_API_KEY` or `HTTP_TOKEN`, or another address in a URI, takes
            effect at the next start.

            """
        for section in Settings.sections {
            text += "\n## \(section.title)\n\n" + table(section.settings)
            guard section.hasConnections else { continue }
            text += """

                The keys of a numbered connection, here of the second. There are as many connections as `WEBSOCKET_CONNECTIONS_MAX`
                says, and only the first is enabled by default:


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
