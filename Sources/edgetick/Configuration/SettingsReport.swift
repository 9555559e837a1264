import MarketData
import Wire

/// The settings in effect and where each value came from, for `edgetick config`. Contains no secret.
struct SettingsReport: Sendable, Equatable {
    struct Row: Sendable, Equatable {
        var key: String
        /// The value in effect, secrets masked; `nil` when there is none.
        var value: String?
        var origin: SettingOrigin
        var meaning: String
    }

    /// One row per key; the keys of a numbered connection are included if it is set or used.
    let rows: [Row]
    /// Faults, warnings and notes.
    let findings: [SettingFinding]

    /// Reports on everything that was set, valid or not. Pure.
    init(_ snapshot: SettingsSnapshot, host: HostFacts, needs: Settings.Needs = []) {
        let masking = Masking(snapshot)
        var numbers = Set(snapshot.values.keys.compactMap { ConnectionKey(name: $0)?.number })
        do throws(SettingFaults) {
            let (settings, remarks) = try Settings.validate(snapshot, host: host, needs: needs)
            if settings.connections.isMulti { numbers.formUnion(1...settings.connections.maximum) }
            findings = remarks
        } catch {
            findings = error.faults + error.remarks
        }
        var rows: [Row] = []
        func add<Root>(_ settings: [Setting<Root>]) {
            for setting in settings {
                let set = snapshot.values[setting.name]
                // Paths are shown absolute, as they are used.
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

    /// The rows with key, value and origin.
    var table: TextTable {
        TextTable(["KEY", "VALUE", "ORIGIN"], rows.map { [$0.key, $0.value ?? "-", $0.origin.description] })
    }

    var json: ConfigJSON {
        ConfigJSON(
            settings: rows.map { .init(key: $0.key, value: $0.value, from: $0.origin.place, meaning: $0.meaning) },
            findings: findings.map {
                .init(severity: $0.severity, key: $0.key, from: $0.origin.place, text: $0.text)
            })
    }
}

extension SettingOrigin {
    fileprivate var place: ConfigJSON.Place {
        switch self {
        case .defaultValue: (.default, nil, nil)
        case .environment: (.environment, nil, nil)
        case .file(let path, let line): (.file, path, line)
        case .secretFile(let path): (.secret_file, path, nil)
        }
    }
}
