import Collector
import MarketData

extension Settings {
    /// Reads the mode and the connections, and says which keys the mode ignores.
    static func readConnections(_ reader: inout SettingReader, _ needs: Needs) -> Connections {
        var isMulti = reader.bool(.useMultiConnection)
        let maximum = reader.integer(.connectionsMax, in: 1...ConnectionKey.highestNumber)
        if isMulti, maximum > 3 {
            reader.add(
                .warning, .connectionsMax,
                "more than 3 connections need an account that allows them; otherwise they push each other out")
        }
        let numbered = reader.snapshot.values.keys.compactMap { ConnectionKey(name: $0) }
            .sorted { ($0.number, $0.field.rawValue) < ($1.number, $1.field.rawValue) }
        let list: [Connection]
        let single = Connection(
            number: 1, name: "primary", universeKey: reader.text(.symbolUniverseKey), symbols: reader.text(.symbols),
            priority: 1)
        if isMulti, reader.snapshot[.symbolUniverseKey] != nil {
            isMulti = canBeSeveral(&reader, numbered, maximum)
        }
        if isMulti {
            for key in [SettingKey.symbolUniverseKey, .symbols] where reader.snapshot[key] != nil {
                reader.add(.note, key, "is ignored with USE_MULTI_CONNECTION=true")
            }
            list = readNumbered(&reader, numbered, maximum)
        } else {
            if !numbered.isEmpty {
                reader.add(
                    .note, .useMultiConnection,
                    "is not true, so these keys are ignored: \(numbered.map(\.name).joined(separator: ", "))")
            }
            list = [single]
            if needs.contains(.feed), list[0].universeKey == nil, list[0].symbols == nil {
                reader.add(
                    .warning, .symbolUniverseKey, "neither this nor SYMBOLS is set: there are no symbols to collect")
            }
        }
        return Connections(
            isMulti: isMulti, list: list, single: single.universeKey == nil ? nil : single, maximum: maximum,
            routing: reader.choice(.routingStrategy, otherwise: .manual),
            healthCheckInterval: reader.duration(
                .healthCheckInterval, unit: .seconds(1), in: .seconds(1) ... .seconds(3600)),
            autoRebalance: reader.bool(.autoRebalance), failover: reader.bool(.failoverEnabled),
            failoverGrace: reader.duration(.failoverGrace, unit: .seconds(1), in: .seconds(1) ... .seconds(3600)),
            failoverRecovery: reader.duration(.failoverRecovery, unit: .seconds(1), in: .seconds(1) ... .seconds(3600)),
            redundantSymbols: readRedundantSymbols(&reader))
    }

    private static func readRedundantSymbols(_ reader: inout SettingReader) -> String? {
        guard let text = reader.text(.redundantSymbols) else { return nil }
        for name in text.split(separator: ",").map({ $0.trimmingBlanks() }) where name != "*" && Symbol(name) == nil {
            reader.fault(.redundantSymbols, "allowed: symbols separated by commas, or * for every symbol")
            return nil
        }
        return text
    }

    /// Tells whether several connections are possible; where their settings are unusable and a universe key is there for
    /// one connection, says why and goes on with that one.
    private static func canBeSeveral(_ reader: inout SettingReader, _ keys: [ConnectionKey], _ maximum: Int) -> Bool {
        var trial = reader
        let list = readNumbered(&trial, keys, maximum)
        let isFaulty = trial.findings.count { $0.severity == .fault } > reader.findings.count { $0.severity == .fault }
        let isIdle = list.allSatisfy { $0.universeKey == nil && $0.symbols == nil }
        guard isFaulty || isIdle else { return true }
        for finding in trial.findings.dropFirst(reader.findings.count) where finding.severity != .note {
            var warning = finding
            warning.severity = .warning
            reader.add(warning)
        }
        reader.add(
            .warning, .useMultiConnection,
            "several connections can't be used as they are set: going on with the one of SYMBOL_UNIVERSE_KEY")
        return false
    }

    private static func limit(_ number: Int) -> Int? { number == 0 ? nil : number }

    private static func readNumbered(
        _ reader: inout SettingReader, _ keys: [ConnectionKey], _ maximum: Int
    ) -> [Connection] {
        var list: [Connection] = []
        for number in 1...maximum {
            let nameKey = ConnectionKey(number, .name)
            let connection = Connection(
                number: number, name: reader.text(nameKey) ?? "",
                universeKey: reader.text(ConnectionKey(number, .universeKey)),
                symbols: reader.text(ConnectionKey(number, .symbols)),
                priority: reader.integer(ConnectionKey(number, .priority), in: 1...100),
                capacity: limit(reader.integer(ConnectionKey(number, .capacity), in: 0...1_000_000)))
            let isEnabled = reader.bool(ConnectionKey(number, .enabled))
            if !CollectorName.isName(connection.name) {
                reader.fault(
                    nameKey, "allowed: up to \(CollectorName.maximumLength) letters, digits, dots, hyphens, underscores"
                )
            }
            guard isEnabled else { continue }
            if let other = list.first(where: { $0.name == connection.name }) {
                reader.fault(nameKey, "connection \(other.number) has this name already: give each its own")
            }
            if connection.universeKey == nil, connection.symbols == nil {
                reader.add(
                    .warning, ConnectionKey(number, .enabled),
                    "connection \(number) has neither a universe key nor symbols: it collects nothing")
            }
            list.append(connection)
        }
        for key in keys where key.number > maximum {
            let isEnabling = key.field == .enabled && reader.bool(key)
            reader.add(
                isEnabling ? .fault : .note, key,
                isEnabling
                    ? "only \(maximum) connections are allowed: raise WEBSOCKET_CONNECTIONS_MAX if the account has more"
                    : "is ignored: WEBSOCKET_CONNECTIONS_MAX is \(maximum)")
        }
        if list.isEmpty {
            reader.fault(ConnectionKey(1, .enabled), "no connection is enabled: set this to true, or another one's")
        }
        return list
    }
}
