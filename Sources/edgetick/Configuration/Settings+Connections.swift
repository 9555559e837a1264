import Feed
import MarketData

extension Settings.Connections {
    /// Reads the numbered connections, or creates the single one, and notes which keys are ignored in this mode.
    mutating func readNumbered(
        _ reader: inout SettingReader, _ needs: Settings.Needs, fallback: Settings.UniverseFallback
    ) {
        let numbered = reader.snapshot.values.keys.compactMap { ConnectionKey(name: $0) }
            .sorted { ($0.number, $0.field) < ($1.number, $1.field) }
        let only = Settings.Connection(number: 1, name: "primary", universeKey: universeKey, symbols: symbols)
        single = universeKey == nil ? nil : only
        if isMulti, maximum > 3 {
            reader.add(
                .warning, \.connections.maximum,
                "more than 3 connections need an account that allows them; otherwise they disconnect each other")
        }
        if isMulti, universeKey != nil {
            isMulti = canBeSeveral(&reader, numbered)
            isFallback = !isMulti
        }
        guard isMulti else {
            list = [only]
            if !numbered.isEmpty, !isFallback {
                reader.add(
                    .note, \.connections.isMulti,
                    "is not true, so these keys are ignored: \(numbered.map(\.name).joined(separator: ", "))")
            }
            if needs.contains(.feed), universeKey == nil, symbols == nil {
                sayWhatIsCollected(&reader, numbered, fallback)
            }
            return
        }
        for path in [\Settings.connections.universeKey, \.connections.symbols] where reader.isSet(path) {
            reader.add(.note, path, "is ignored with USE_MULTI_CONNECTION=true")
        }
        list = readList(&reader, numbered)
    }

    /// Reports what a single connection with neither a universe key nor symbols collects.
    private func sayWhatIsCollected(
        _ reader: inout SettingReader, _ numbered: [ConnectionKey], _ fallback: Settings.UniverseFallback
    ) {
        let naming = numbered.filter { Settings.Connection.naming.contains($0.field) }.map(\.name)
        if !naming.isEmpty, !reader.isSet(\.connections.isMulti) {
            // A user who names a connection's symbols wants those, not the default list.
            reader.fault(
                \.connections.isMulti,
                "must be true for \(naming.joined(separator: ", ")) to count: set USE_MULTI_CONNECTION=true, or name the "
                    + "symbols of the single connection with SYMBOL_UNIVERSE_KEY or SYMBOLS")
            return
        }
        let instead =
            naming.isEmpty ? "" : ", or USE_MULTI_CONNECTION=true for \(naming.joined(separator: ", ")) to count"
        switch fallback {
        case .default:
            reader.add(
                .warning, \.connections.universeKey,
                "neither this nor SYMBOLS is set, so the default list is collected: set one of them" + instead)
        case .error:
            reader.fault(
                \.connections.universeKey,
                "neither this nor SYMBOLS is set, and UNIVERSE_FALLBACK=error: set one of them" + instead)
        }
    }

    /// Whether several connections can be used. If their settings are unusable, reports why and falls back to the
    /// single connection of SYMBOL_UNIVERSE_KEY.
    private func canBeSeveral(_ reader: inout SettingReader, _ keys: [ConnectionKey]) -> Bool {
        var trial = reader
        let list = readList(&trial, keys)
        let found = trial.findings.dropFirst(reader.findings.count)
        let isIdle = list.allSatisfy { $0.universeKey == nil && $0.symbols == nil }
        guard isIdle || found.contains(where: { $0.severity == .fault }) else { return true }
        for var finding in found where finding.severity != .note {
            finding.severity = .warning
            reader.findings.append(finding)
        }
        reader.add(
            .warning, \.connections.isMulti,
            "the settings of the numbered connections can't be used (see the other warnings): continuing with the single "
                + "connection of SYMBOL_UNIVERSE_KEY")
        return false
    }

    private func readList(_ reader: inout SettingReader, _ keys: [ConnectionKey]) -> [Settings.Connection] {
        var list: [Settings.Connection] = []
        for number in 1...maximum {
            let connection = Self.connection(number, &reader)
            guard connection.isEnabled else {
                let isSwitched = keys.contains { $0.number == number && $0.field == "ENABLED" }
                if !isSwitched, connection.universeKey != nil || connection.symbols != nil {
                    reader.add(
                        .warning, Self.setting(\.isEnabled, number),
                        "connection \(number) has symbols but is not enabled: set this to true to collect them")
                }
                continue
            }
            if let other = list.first(where: { $0.name == connection.name }) {
                reader.add(
                    .fault, Self.setting(\.name, number),
                    "connection \(other.number) already has this name: give each its own")
            }
            // If symbols are spread, a connection without its own takes a share.
            if connection.universeKey == nil, connection.symbols == nil, rules.strategy == .manual {
                reader.add(
                    .warning, Self.setting(\.isEnabled, number),
                    "connection \(number) has neither a universe key nor symbols: it collects nothing")
            }
            list.append(connection)
        }
        let beyond = Dictionary(grouping: keys.filter { $0.number > maximum }, by: \.number)
        for (number, keys) in beyond.sorted(by: { $0.key < $1.key }) { refuse(keys, of: number, &reader) }
        if list.isEmpty {
            reader.add(
                .fault, Self.setting(\.isEnabled, 1),
                "no connection is enabled: set this to true, or the same key of another connection")
        }
        return list
    }

    /// Reports the keys of a connection beyond the limit: a fault if it is enabled, else a note.
    private func refuse(_ keys: [ConnectionKey], of number: Int, _ reader: inout SettingReader) {
        let connection = Self.connection(number, &reader)
        let enabled = Self.setting(\.isEnabled, number)
        for setting in Settings.Connection.settings(number) where keys.contains(where: { $0.name == setting.name }) {
            let isEnabling = setting.name == enabled.name && connection.isEnabled
            reader.add(
                isEnabling ? .fault : .note, setting,
                isEnabling
                    ? "only \(maximum.counted("connection is", "connections are")) allowed: raise "
                        + "WEBSOCKET_CONNECTIONS_MAX if the account has more"
                    : "is ignored: WEBSOCKET_CONNECTIONS_MAX is \(maximum)")
        }
    }

    private static func connection(_ number: Int, _ reader: inout SettingReader) -> Settings.Connection {
        var connection = Settings.Connection(number: number)
        reader.read(Settings.Connection.settings(number), into: &connection)
        return connection
    }

    private static func setting(
        _ path: PartialKeyPath<Settings.Connection>, _ number: Int
    ) -> Setting<Settings.Connection> {
        guard let setting = Settings.Connection.settings(number).first(where: { $0.path == path }) else {
            preconditionFailure("\(path) has no key")
        }
        return setting
    }
}
