import MarketData

/// Everything that was set, as text with its origin; nothing is validated yet.
struct SettingsSnapshot: Sendable, Equatable, ConcealsContents {
    struct Value: Sendable, Equatable, ConcealsContents {
        var text: String
        var origin: SettingOrigin
    }

    /// The contents of a file that holds a key's value.
    enum SecretFile: Sendable {
        case text(String)
        /// Why it can't be read.
        case fault(String)

        /// The lines that aren't empty, without the blanks around them.
        var lines: [String] {
            guard case .text(let content) = self else { return [] }
            return content.split(whereSeparator: \.isNewline).map { String($0.trimmingBlanks()) }.filter { !$0.isEmpty }
        }

        /// The secret: the first line; `nil` if there is none.
        var secret: String? { lines.first }
    }

    /// The suffix of a key that names a file with the value.
    static let fileSuffix = "_FILE"

    /// The values of known keys.
    ///
    /// An empty value counts as not set; in the process environment it still hides the file's value.
    private(set) var values: [String: Value] = [:]
    /// The other names that were set, without their values: a mistyped name may hold a secret.
    private(set) var others: [String: SettingOrigin] = [:]
    /// Whether a settings file set anything.
    private(set) var hasFile = false
    /// Findings from reading, before values are validated; contain no values.
    private(set) var findings: [SettingFinding] = []

    init(values: [String: Value] = [:], others: [String: SettingOrigin] = [:]) {
        self.values = values
        self.others = others
    }

    /// Collects what the process environment and a file set; the environment takes precedence.
    ///
    /// - Parameter read: Reads a file that holds one secret, for the keys that end in `_FILE`.
    init(
        environment: [String: String], file: EnvironmentFile?,
        reading read: (_ path: String) -> SecretFile = { _ in .fault("no files are read here") }
    ) {
        let path = file?.path ?? ""
        let entries = file?.entries ?? [:]
        hasFile = !entries.isEmpty
        findings = file?.findings.filter { $0.key.isEmpty || Self.concerns($0.key) } ?? []
        var foreign: [String: Value] = [:]
        for name in Set(environment.keys).union(entries.keys).sorted() {
            let inFile = SettingOrigin.file(path: path, line: entries[name]?.line ?? 0)
            let origin = environment[name] == nil ? inFile : .environment
            guard Self.concerns(name) else {
                others[name] = origin
                continue
            }
            guard let text = written(name, environment, entries, origin) else { continue }
            if Self.isKnown(name) {
                values[name] = Value(text: text, origin: origin)
            } else {
                foreign[name] = Value(text: text, origin: origin)
            }
        }
        readSecrets(foreign, read)
        adopt(foreign)
    }

    subscript(path: PartialKeyPath<Settings>) -> Value? { values[Settings.setting(path).name] }

    var secretPlaces: [String] {
        let paths = Settings.all.compactMap { setting -> String? in
            guard let value = values[setting.name], Masking.holdsSecret(value.text, setting.display) else { return nil }
            switch value.origin {
            case .file(let path, _), .secretFile(let path): return path
            case .environment, .defaultValue: return nil
            }
        }
        return Set(paths).sorted()
    }

    private static let known = Set(Settings.all.map(\.name))
    private static let secrets = Settings.all.filter(\.display.mayBeInFile)
    private static let secretFiles = Set(secrets.map { $0.name + fileSuffix })
    /// How the names of secrets, in every spelling, begin a line.
    private static let assignments: [String] = {
        let names = Set(secrets.map(\.name))
        return names.union(PlatformKeys.renamed.filter { names.contains($0.key) }.map(\.name)).sorted().map { $0 + "=" }
    }()

    private static func isKnown(_ name: String) -> Bool { known.contains(name) || ConnectionKey(name: name) != nil }

    private static func concerns(_ name: String) -> Bool {
        isKnown(name) || secretFiles.contains(name) || PlatformKeys.contains(name)
    }

    private mutating func add(
        _ severity: Severity, _ key: String, _ origin: SettingOrigin, _ text: String
    ) {
        findings.append(SettingFinding(severity: severity, key: key, value: nil, origin: origin, text: text))
    }

    /// Returns the text that counts for a name; `nil` if it is empty.
    private mutating func written(
        _ name: String, _ environment: [String: String], _ entries: [String: EnvironmentFile.Entry],
        _ origin: SettingOrigin
    ) -> String? {
        var text = entries[name]?.value ?? ""
        if let set = environment[name] {
            text = set
            // docker --env-file passes a line on as it is, with its quotes and its comment.
            let trimmed = set[...].trimmingBlanks()
            if let first = trimmed.first, "\"'`".contains(first) || trimmed.contains(" #"),
                let value = try? WrittenValue(trimmed, variables: nil), value.text != set
            {
                text = value.text
                add(.note, name, origin, "the quotes around it and a comment after it are left out")
            }
        } else if let fault = entries[name]?.fault {
            add(.fault, name, origin, fault)
        }
        // If the line break between two keys is missing, the second one's secret would be shown with the first one's value.
        if let second = Self.assignments.first(where: { text.contains($0) }) {
            add(.fault, name, origin, "the value has \(second) in it: write each key on a line of its own")
            return nil
        }
        let trimmed = text[...].trimmingBlanks()
        return trimmed.isEmpty ? nil : String(trimmed)
    }

    /// Reads secrets from the files named by keys that end in `_FILE`.
    private mutating func readSecrets(_ foreign: [String: Value], _ read: (_ path: String) -> SecretFile) {
        for setting in Self.secrets {
            let key = setting.name
            let name = key + Self.fileSuffix
            guard let named = foreign[name] else { continue }
            guard let own = values[key] else {
                take(setting, named, name, read)
                continue
            }
            // The environment takes precedence over a settings file, whether it sets the key or the key with `_FILE`.
            let isStronger = named.origin == .environment
            if (own.origin == .environment) == isStronger {
                add(.fault, name, named.origin, "\(key) is set as well: leave one of them out")
            } else {
                if isStronger { take(setting, named, name, read) }
                add(.note, name, named.origin, "\(isStronger ? "takes precedence over" : "is overridden by") \(key)")
            }
        }
    }

    private mutating func take(
        _ setting: Setting<Settings>, _ named: Value, _ name: String, _ read: (_ path: String) -> SecretFile
    ) {
        let file = read(named.text)
        if case .fault(let text) = file { return add(.fault, name, named.origin, text) }
        let isList = setting.display == .secrets
        let lines = file.lines
        let kept = isList ? lines.filter { !$0.hasPrefix("#") } : Array(lines.prefix(1))
        guard !kept.isEmpty else {
            let text =
                lines.isEmpty
                ? "the file is empty: write the value into it, on one line"
                : "every line of the file begins with #, as no key can: write a key that begins otherwise on a line"
            return add(.fault, name, named.origin, text)
        }
        // Earlier versions read only the first line: what else is there must not keep a collector from starting.
        if kept.count < lines.count {
            let text =
                isList
                ? "lines of the file that begin with # are left out: a key can't begin with #"
                : "the file has \(lines.count) lines, of which the first is used: write only the value into it, on one line"
            add(.warning, name, named.origin, text)
        }
        if kept.count > 1 { add(.note, name, named.origin, "each of \(kept.count) lines of the file is a key") }
        values[setting.name] = Value(text: kept.joined(separator: ","), origin: .secretFile(path: named.text))
    }

    /// Adopts values that were set under other programs' keys.
    private mutating func adopt(_ foreign: [String: Value]) {
        for (name, key) in PlatformKeys.renamed {
            guard let value = foreign[name] else { continue }
            if values[key] == nil {
                values[key] = value
                add(.note, name, value.origin, "is used as \(key)")
            } else if values[key] != value {
                add(.note, name, value.origin, "is ignored: \(key) is set")
            }
        }
        adoptKinds(foreign)
        for name in PlatformKeys.ignored.sorted() {
            guard let value = foreign[name] else { continue }
            add(.note, name, value.origin, "is a key of the platform that EdgeTick ignores")
        }
    }

    /// Adopts the switches for kinds of events; minute bars are on unless switched off.
    private mutating func adoptKinds(_ foreign: [String: Value]) {
        let key = Settings.setting(\.feed.events).name
        let isSet = values[key] != nil
        var switches: [(kind: EventKind, isOn: Bool?)] = []
        var origin: SettingOrigin?
        for (name, kind) in PlatformKeys.kinds {
            let value = foreign[name]
            switches.append((kind, value.flatMap { SettingKind<Bool>.isTrue($0.text) }))
            guard let value else { continue }
            origin = origin ?? value.origin
            let use = isSet ? "is ignored: \(key) is set" : "is used for \(kind.rawValue) in \(key)"
            add(.note, name, value.origin, use)
        }
        guard !isSet, let origin, switches.contains(where: { $0.isOn != nil }) else { return }
        var kinds = switches.filter { $0.isOn ?? ($0.kind == .minuteBar) }.map(\.kind)
        if kinds.isEmpty {
            kinds = [.minuteBar]
            add(.warning, key, origin, "no kind is left, so minute bars are collected")
        }
        values[key] = Value(text: kinds.map(\.rawValue).joined(separator: ","), origin: origin)
    }
}
