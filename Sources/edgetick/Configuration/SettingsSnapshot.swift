import Configuration

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
        let process = EnvironmentVariablesProvider(environmentVariables: environment, secretsSpecifier: .all)
        let written = EnvironmentVariablesProvider(
            environmentVariables: entries.mapValues(\.value), secretsSpecifier: .all)
        for name in Set(environment.keys).union(entries.keys) {
            let inFile = SettingOrigin.file(path: path, line: entries[name]?.line ?? 0)
            guard SettingKey(rawValue: name) != nil || ConnectionKey(name: name) != nil else {
                others[name] = environment[name] == nil ? inFile : .environment
                continue
            }
            // One provider after the other: a reader over both would not tell which of them answered.
            for (provider, origin) in [(process, SettingOrigin.environment), (written, inFile)] {
                let found = try? provider.value(forKey: AbsoluteConfigKey([name]), type: .string)
                guard case .string(let text)? = found?.value?.content else { continue }
                let trimmed = text[...].trimmingBlanks()
                if !trimmed.isEmpty { values[name] = Value(text: String(trimmed), origin: origin) }
                break
            }
        }
        remarks = (file?.remarks ?? []).map { "\(path):\($0.line): \($0.text)" }
    }

    /// The value that was set for a key.
    subscript(key: SettingKey) -> Value? { values[key.rawValue] }

    /// The value that was set for a connection's key.
    subscript(key: ConnectionKey) -> Value? { values[key.name] }
}
