import MarketData

/// Finds mistyped keys among the names that were set.
///
/// In a settings file, a name with one of EdgeTick's prefixes can only be meant for EdgeTick, so an unknown one is a
/// fault. Other names are ignored unless they nearly match a known key that is not set: then that key was probably
/// meant, and would be missing without notice. The process environment is shared with every other program (a container
/// platform adds names of its own), so there both are only warnings.
enum UnknownKeys {
    /// The prefixes that only EdgeTick's keys have, such as `BUFFER_` and `USE_MULTI_`.
    static let prefixes = Set(
        Settings.all.compactMap { setting -> String? in
            let words = setting.name.split(separator: "_")
            guard words.count > 1, !common.contains(words[0]) else { return nil }
            return words[0] == "USE" ? "USE_\(words[1])_" : "\(words[0])_"
        })

    /// The first words of keys that are as common in other programs' names.
    private static let common: Set<Substring> = ["ALL", "DATABASE", "HTTPS", "LOG", "NO"]

    /// Names that have a meaning by convention among other programs.
    private static let foreign: Set = ["HTTP_PROXY"]

    /// Names of other programs that may have been meant for EdgeTick; only a warning, even in a file.
    private static let ambiguous: Set = ["DATABASE_URL"]

    /// A finding for each name that seems mistyped, sorted by name; without values, which may be secret.
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
