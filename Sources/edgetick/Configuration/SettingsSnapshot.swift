/// Everything that was set, as text, each with where it was set. Nothing is judged yet.
struct SettingsSnapshot: Sendable, Equatable, ConcealsContents {
    struct Value: Sendable, Equatable, ConcealsContents {
        var text: String
        var origin: SettingOrigin
    }

    /// The values of known keys.
    ///
    /// An empty value counts as not set; set in the process environment it hides the file's.
    private(set) var values: [String: Value] = [:]
    /// The other names that were set, without their values: a secret may stand under a mistyped name.
    private(set) var others: [String: SettingOrigin] = [:]
    /// What the file's reader remarked.
    private(set) var remarks: [String] = []

    /// A snapshot of given values and of other names.
    init(values: [String: Value] = [:], others: [String: SettingOrigin] = [:]) {
        self.values = values
        self.others = others
    }

    /// Gathers what the process environment and a file set; the environment wins.
    init(environment: [String: String], file: EnvironmentFile?) {
        let path = file?.path ?? ""
        let entries = file?.entries ?? [:]
        for name in Set(environment.keys).union(entries.keys) {
            let inFile = SettingOrigin.file(path: path, line: entries[name]?.line ?? 0)
            guard Self.known.contains(name) || ConnectionKey(name: name) != nil else {
                others[name] = environment[name] == nil ? inFile : .environment
                continue
            }
            guard let text = environment[name] ?? entries[name]?.value else { continue }
            let trimmed = text[...].trimmingBlanks()
            guard !trimmed.isEmpty else { continue }
            values[name] = Value(text: String(trimmed), origin: environment[name] == nil ? inFile : .environment)
        }
        remarks = (file?.remarks ?? []).map { "\(path):\($0.line): \($0.text)" }
    }

    /// The value that was set for a key.
    subscript(path: PartialKeyPath<Settings>) -> Value? { values[Settings.setting(path).name] }

    private static let known = Set(Settings.all.map(\.name))
}
