import MarketData

/// Reads settings from a snapshot and collects everything that is wrong with them, without stopping at the first fault.
struct SettingReader: ConcealsContents {
    let snapshot: SettingsSnapshot
    let host: HostFacts
    let masking: Masking
    var findings: [SettingFinding] = []

    init(_ snapshot: SettingsSnapshot, host: HostFacts) {
        self.snapshot = snapshot
        self.host = host
        masking = Masking(snapshot)
    }

    /// Stores each setting's value, or its default if none or an invalid one is set.
    mutating func read<Root>(_ settings: [Setting<Root>], into root: inout Root) {
        for setting in settings {
            if let text = snapshot.values[setting.name]?.text {
                do throws(SettingRefusal) {
                    try setting.store(text, host, &root)
                    continue
                } catch {
                    add(.fault, setting, error.text)
                }
            }
            if let text = setting.defaultText(on: host) { try? setting.store(text, host, &root) }
        }
    }

    /// Whether a value was set, right or wrong.
    func isSet(_ path: PartialKeyPath<Settings>) -> Bool { snapshot[path] != nil }

    /// Whether a value was set and is wrong.
    func isFaulty(_ path: PartialKeyPath<Settings>) -> Bool {
        findings.contains { $0.severity == .fault && $0.key == Settings.setting(path).name }
    }

    mutating func fault(_ path: PartialKeyPath<Settings>, _ text: String) { add(.fault, path, text) }

    mutating func add(_ severity: Severity, _ path: PartialKeyPath<Settings>, _ text: String) {
        add(severity, Settings.setting(path), text)
    }

    mutating func add<Root>(_ severity: Severity, _ setting: Setting<Root>, _ text: String) {
        let set = snapshot.values[setting.name]
        findings.append(
            SettingFinding(
                severity: severity, key: setting.name, value: set.map { masking.show($0.text, setting.display) },
                origin: set?.origin ?? .defaultValue, text: text))
    }
}
