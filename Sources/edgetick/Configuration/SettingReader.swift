import MarketData

/// Reads typed values out of a snapshot and gathers what is wrong with them; nothing stops at the first fault.
struct SettingReader: ConcealsContents {
    let snapshot: SettingsSnapshot
    let masking: Masking
    private(set) var findings: [SettingFinding] = []

    init(_ snapshot: SettingsSnapshot) {
        self.snapshot = snapshot
        masking = Masking(snapshot)
    }

    /// The text in effect; `nil` when neither set nor given a default.
    func text(_ key: SettingKey) -> String? { snapshot[key]?.text ?? key.defaultText }

    /// The text in effect for a connection's key.
    func text(_ key: ConnectionKey) -> String? { snapshot[key]?.text ?? key.defaultText }

    mutating func secret(_ key: SettingKey) -> Secret? {
        guard let text = snapshot[key]?.text else { return nil }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            fault(key, "holds spaces or characters beyond ASCII: copy it again")
            return nil
        }
        return Secret(text)
    }

    /// A path, absolute; `nil` when none is set.
    mutating func path(_ key: SettingKey, _ host: HostFacts) -> String? {
        guard let text = text(key) else { return nil }
        if text.hasPrefix("~"), host.homeDirectory == nil || !(text == "~" || text.hasPrefix("~/")) {
            fault(key, "this ~ stands for no directory known here: write the whole path")
        }
        return host.absolutePath(text)
    }

    mutating func bool(_ key: SettingKey) -> Bool {
        bool(text(key)) ?? rejected(key, "true or false", otherwise: key.defaultText == "true")
    }

    mutating func bool(_ key: ConnectionKey) -> Bool {
        if let value = bool(text(key)) { return value }
        fault(key, "allowed: true or false")
        return false
    }

    private func bool(_ text: String?) -> Bool? {
        switch text?.lowercased() {
        case "true", "yes", "on", "1": true
        case "false", "no", "off", "0": false
        default: nil
        }
    }

    mutating func integer(_ key: SettingKey, in range: ClosedRange<Int>) -> Int {
        if let text = text(key), let value = plainInteger(text), range.contains(value) { return value }
        return rejected(
            key, "a whole number from \(range.lowerBound) to \(range.upperBound)", otherwise: range.lowerBound)
    }

    mutating func integer(_ key: ConnectionKey, in range: ClosedRange<Int>) -> Int {
        if let text = text(key), let value = plainInteger(text), range.contains(value) { return value }
        fault(key, "allowed: a whole number from \(range.lowerBound) to \(range.upperBound)")
        return range.lowerBound
    }

    private func plainInteger(_ text: String) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }

    /// A duration; a bare number counts in `unit`.
    ///
    /// - Parameter zero: Whether 0 is allowed below the range, and what it means.
    mutating func duration(
        _ key: SettingKey, unit: Duration, in range: ClosedRange<Duration>, zero: String? = nil
    ) -> Duration {
        if let text = text(key), let value = Quantity.duration(text, unit: unit) {
            if range.contains(value) || (zero != nil && value == .zero) { return value }
        }
        let unitName = unit == .milliseconds(1) ? "milliseconds" : unit == .seconds(3600) ? "hours" : "seconds"
        let special = zero.map { "; 0 = \($0)" } ?? ""
        return rejected(
            key,
            "a duration from \(range.lowerBound.shortText) to \(range.upperBound.shortText), a bare number counts "
                + "\(unitName), or with a unit such as 500ms, 5s, 2m, 1h\(special)",
            otherwise: range.lowerBound)
    }

    mutating func bytes(_ key: SettingKey, in range: ClosedRange<Int64>, shown: String) -> Int64 {
        if let text = text(key), let value = Quantity.bytes(text), range.contains(value) { return value }
        return rejected(
            key, "a size \(shown), in bytes or with a unit such as 500MB or 8GiB", otherwise: range.lowerBound)
    }

    mutating func choice<Choice: CaseIterable & RawRepresentable<String>>(
        _ key: SettingKey, _ type: Choice.Type = Choice.self, otherwise: Choice
    ) -> Choice {
        let wanted = text(key)?.lowercased()
        if let found = Choice.allCases.first(where: { $0.rawValue.lowercased() == wanted }) { return found }
        let names = Choice.allCases.map(\.rawValue)
        let nearest = NearestNames.nearest(to: wanted ?? "", among: names, limit: 1).first
        return rejected(
            key, names.joined(separator: ", ") + (nearest.map { "; nearest: \($0)" } ?? ""), otherwise: otherwise)
    }

    private mutating func rejected<Value>(_ key: SettingKey, _ allowed: String, otherwise: Value) -> Value {
        fault(key, "allowed: \(allowed)")
        return otherwise
    }

    mutating func fault(_ key: SettingKey, _ text: String) { add(.fault, key, text) }

    mutating func fault(_ key: ConnectionKey, _ text: String) { add(.fault, key, text) }

    mutating func add(_ severity: SettingFinding.Severity, _ key: SettingKey, _ text: String) {
        let set = snapshot[key]
        add(
            SettingFinding(
                severity: severity, key: key.rawValue, value: set.map { masking.display($0.text, of: key) },
                origin: set?.origin ?? .defaultValue, text: text))
    }

    mutating func add(_ severity: SettingFinding.Severity, _ key: ConnectionKey, _ text: String) {
        let set = snapshot[key]
        add(
            SettingFinding(
                severity: severity, key: key.name, value: set.map { masking.plain($0.text) },
                origin: set?.origin ?? .defaultValue, text: text))
    }

    mutating func add(_ finding: SettingFinding) {
        findings.append(finding)
    }
}
