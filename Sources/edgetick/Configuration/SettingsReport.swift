import FoundationEssentials

/// What is in effect and where each value came from, for `edgetick config`. Holds no secret.
struct SettingsReport: Sendable, Equatable {
    struct Row: Sendable, Equatable {
        var key: String
        /// The value in effect, secrets masked; `nil` when there is none.
        var value: String?
        var origin: SettingOrigin
        var meaning: String
    }

    /// One row a key; the keys of numbered connections stand where they are set or used.
    let rows: [Row]
    /// Faults, warnings and notes.
    let findings: [SettingFinding]

    /// Reports on what was set, right or wrong. Pure.
    init(_ snapshot: SettingsSnapshot, host: HostFacts, needs: Settings.Needs = []) {
        let masking = Masking(snapshot)
        var isMulti = false
        var maximum = 0
        do throws(SettingFaults) {
            let (settings, remarks) = try Settings.validate(snapshot, host: host, needs: needs)
            isMulti = settings.connections.isMulti
            maximum = settings.connections.maximum
            findings = remarks
        } catch {
            findings = error.faults + error.remarks
        }
        let set = snapshot.values.keys.compactMap { ConnectionKey(name: $0) }
        var numbers = Set(set.map(\.number))
        if isMulti { numbers.formUnion(1...maximum) }
        var rows: [Row] = []
        func add<Root>(_ settings: [Setting<Root>]) {
            for setting in settings {
                let set = snapshot.values[setting.name]
                // Paths are shown as they are used, whoever wrote them.
                let text = set?.text ?? setting.defaultText(on: host)
                let shown = setting.display == .path ? text.map { host.absolutePath($0) } : text
                rows.append(
                    Row(
                        key: setting.name, value: shown.map { masking.show($0, setting.display) },
                        origin: set?.origin ?? .defaultValue, meaning: setting.meaning))
            }
        }
        for section in Settings.sections {
            add(section.settings)
            guard section.hasConnections else { continue }
            for number in numbers.sorted() { add(Settings.Connection.settings(number)) }
        }
        self.rows = rows
    }

    /// Whether a command would refuse to start.
    var hasFaults: Bool { findings.contains { $0.severity == .fault } }

    /// The rows in columns: key, value, origin; one line each, with a last line break.
    var table: String {
        let lines = [["KEY", "VALUE", "ORIGIN"]] + rows.map { [$0.key, $0.value ?? "-", $0.origin.description] }
        let widths = (0..<2).map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { cells in
            let padded = zip(cells, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            return (padded + [cells[2]]).joined(separator: "  ") + "\n"
        }.joined()
    }

    /// The report as JSON: `{"settings":[…],"findings":[…]}`.
    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}

extension SettingsReport: Encodable {
    private enum Keys: String, CodingKey {
        case settings, findings
    }

    private enum RowKeys: String, CodingKey {
        case key, value, origin, file, line, meaning, severity, text
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        var list = container.nestedUnkeyedContainer(forKey: .settings)
        for row in rows {
            var object = list.nestedContainer(keyedBy: RowKeys.self)
            try object.encode(row.key, forKey: .key)
            try object.encode(row.value, forKey: .value)
            try encode(row.origin, in: &object)
            try object.encode(row.meaning, forKey: .meaning)
        }
        list = container.nestedUnkeyedContainer(forKey: .findings)
        for finding in findings {
            var object = list.nestedContainer(keyedBy: RowKeys.self)
            try object.encode(finding.severity.rawValue, forKey: .severity)
            try object.encode(finding.key, forKey: .key)
            try encode(finding.origin, in: &object)
            try object.encode(finding.text, forKey: .text)
        }
    }

    private func encode(_ origin: SettingOrigin, in object: inout KeyedEncodingContainer<RowKeys>) throws {
        switch origin {
        case .defaultValue: try object.encode("default", forKey: .origin)
        case .environment: try object.encode("environment", forKey: .origin)
        case .file(let path, let line):
            try object.encode("file", forKey: .origin)
            try object.encode(path, forKey: .file)
            try object.encode(line, forKey: .line)
        case .secretFile(let path):
            try object.encode("secret_file", forKey: .origin)
            try object.encode(path, forKey: .file)
        }
    }
}
