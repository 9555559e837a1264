import MarketData
import Store

/// The groups that a key may name, by name; it decides which of them a key names. Pure.
struct GroupCatalogue {
    /// The groups that a part means: one, or two when a UNIVERSE and an ETF share a name.
    struct Match {
        var part: String
        var groups: [GroupHeading]
    }

    /// What a key names.
    struct Choice {
        var matches: [Match] = []
        var unknown: [Resolution.Unknown] = []
        var warnings: [String] = []
    }

    private let environment: String
    private let byName: [String: [GroupHeading]]
    private let namesByFolded: [String: [String]]
    private let others: [String: [GroupHeading]]

    /// Whether there is no group that a key could name.
    var isEmpty: Bool { byName.isEmpty }

    init(_ groups: [GroupHeading], environment: String) {
        var byName: [String: [GroupHeading]] = [:]
        var others: [String: [GroupHeading]] = [:]
        for group in groups {
            if group.type.isUniverse, group.environment == environment {
                byName[group.name, default: []].append(group)
            } else {
                others[group.name.lowercased(), default: []].append(group)
            }
        }
        self.environment = environment
        self.byName = byName.mapValues { $0.sorted { ($0.type.rawValue, $0.id) > ($1.type.rawValue, $1.id) } }
        self.namesByFolded = Dictionary(grouping: byName.keys.sorted()) { $0.lowercased() }
        self.others = others
    }

    /// Finds the groups of a key.
    ///
    /// The whole key as one name, exactly as written, comes first. Then come its parts, if each is known. A whole name
    /// that differs only in case is preferred to an incomplete union.
    func choose(_ key: UniverseKey) -> Choice {
        for name in key.wholeNames {
            if let groups = byName[name] { return whole(key, groups) }
        }
        var union = parts(of: key)
        if !union.unknown.isEmpty, key.parts.count > 1 {
            for name in key.wholeNames {
                if let names = namesByFolded[name.lowercased()], let groups = byName[names[0]] {
                    return whole(key, groups, foundAs: names)
                }
            }
        }
        if key.hasManyParts {
            union.warnings.append(
                "universe key \(quoted(key.text)) has \(key.parts.count) parts; more than "
                    + "\(UniverseKey.customaryParts) is unusual but works")
        }
        return union
    }

    private func whole(_ key: UniverseKey, _ groups: [GroupHeading], foundAs names: [String] = []) -> Choice {
        var choice = Choice(matches: [Match(part: key.text, groups: groups)])
        remarks(on: key.text, groups, foundAs: names, into: &choice.warnings)
        return choice
    }

    private func parts(of key: UniverseKey) -> Choice {
        var choice = Choice()
        var taken: Set<Int64> = []
        for part in key.parts {
            var names: [String] = []
            var groups = byName[part] ?? []
            if groups.isEmpty, let found = namesByFolded[part.lowercased()] {
                names = found
                groups = byName[found[0]] ?? []
            }
            guard !groups.isEmpty else {
                let unknown = Resolution.Unknown(
                    part: part, nearest: NearestNames.nearest(to: part, among: byName.keys))
                choice.warnings.append(describe(unknown))
                choice.unknown.append(unknown)
                continue
            }
            let fresh = groups.filter { taken.insert($0.id).inserted }
            guard !fresh.isEmpty else { continue }
            remarks(on: part, fresh, foundAs: names, into: &choice.warnings)
            choice.matches.append(Match(part: part, groups: fresh))
        }
        return choice
    }

    private func remarks(
        on part: String, _ groups: [GroupHeading], foundAs names: [String], into warnings: inout [String]
    ) {
        if names.count > 1 {
            warnings.append(
                "\(quoted(part)) matches \(names.map(quoted).joined(separator: ", ")), which differ in case only; "
                    + "\(quoted(names[0])) is taken: write a name exactly to choose")
        }
        if groups.count > 1 {
            warnings.append("\(quoted(part)) is the name of a UNIVERSE and of an ETF; the members of both are taken")
        }
    }

    private func describe(_ unknown: Resolution.Unknown) -> String {
        var text = "no universe or ETF is named \(quoted(unknown.part)) in environment \(environment)"
        if let other = others[unknown.part.lowercased()]?.first {
            text +=
                other.type.isUniverse
                ? "; environment \(other.environment) has one" : "; it is the name of a \(other.type.rawValue)"
        }
        if !unknown.nearest.isEmpty {
            text += "; nearest: \(unknown.nearest.map(quoted).joined(separator: ", "))"
        }
        return text
    }
}

extension GroupType {
    /// Whether universe keys may name groups of this type.
    var isUniverse: Bool { self == .universe || self == .etf }
}

extension GroupRecord.Identity {
    /// Whether universe keys may name the group.
    var isUniverse: Bool { GroupType(rawValue: type)?.isUniverse == true }
}
