import MarketData

/// Finds mistyped keys among the names that were set.
///
/// In a file of settings a name with one of EdgeTick's prefixes can only be meant for EdgeTick, so an unknown one is a
/// fault. Names without such a prefix are nobody's business unless they nearly are a known key that is not set itself:
/// then the key was meant, and what it says would be missing in silence. The process environment is shared with every
/// other program and no place to be strict in (a container's platform adds names of its own): there both are warnings.
enum UnknownKeys {
    /// The beginnings of names that are EdgeTick's.
    static let prefixes = [
        "WEBSOCKET_", "MASSIVE_", "BUFFER_", "SYNC_", "UNIVERSE_", "EDGETICK_", "HTTP_", "FEED_", "RELAY_",
        "COLLECTOR_",
        "SYMBOL_", "USE_MASSIVE_", "USE_MULTI_", "USE_SYNTHETIC_", "BAR_",
    ]

    /// Names that other programs' conventions give a meaning.
    private static let foreign: Set = ["HTTP_PROXY"]

    /// Such names that may have been meant for EdgeTick all the same.
    private static let ambiguous: Set = ["DATABASE_URL"]

    /// A finding for each name that seems mistyped, in the order of names; without values, which may be secret.
    static func findings(in snapshot: SettingsSnapshot) -> [SettingFinding] {
        snapshot.others.sorted { $0.key < $1.key }.compactMap { name, origin in
            finding(name, origin, snapshot)
        }
    }

    private static func finding(
        _ name: String, _ origin: SettingOrigin, _ snapshot: SettingsSnapshot
    ) -> SettingFinding? {
        let capitals = name.uppercased()
        guard !foreign.contains(capitals) else { return nil }
        let nearest = nearest(to: capitals)
        let isOurs = prefixes.contains { capitals.hasPrefix($0) }
        if !isOurs {
            guard let nearest, snapshot.values[nearest] == nil, capitals.count >= 5,
                NearestNames.distance(capitals, nearest) <= (nearest.count > 8 ? 2 : 1)
            else { return nil }
        }
        // Other programs read `http_proxy` and the like; only capitals are surely meant for EdgeTick.
        if origin == .environment, name != capitals, nearest != capitals { return nil }
        let advice =
            switch nearest {
            case capitals: "write it in capitals: \(capitals)"
            case .some(let key): "nearest: \(key)"
            case nil: "`edgetick config` lists the keys"
            }
        let isFault = origin != .environment && !ambiguous.contains(capitals)
        return SettingFinding(
            severity: isFault ? .fault : .warning, key: name, value: nil, origin: origin,
            text: "no such key; \(advice)")
    }

    private static func nearest(to name: String) -> String? {
        let number = Int(name.drop { !$0.isNumber }.prefix { $0.isNumber }) ?? 1
        let connection = (1...ConnectionKey.highestNumber).contains(number) ? number : 1
        let known = Settings.all.map(\.name) + Settings.Connection.settings(connection).map(\.name)
        return NearestNames.nearest(to: name, among: known, limit: 1).first
    }
}
