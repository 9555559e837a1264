import Collector
import Logging
import MarketData
import Store
import Universe

extension Settings {
    /// Opens the mirror for a command, and warns if a damaged file was set aside.
    func openMirror(_ access: UniverseMirror.Access) throws(StoreError) -> UniverseMirror {
        let mirror = try UniverseMirror.open(directory: dataDirectory, access: access)
        if let path = mirror.setAside {
            printWarning(
                "universe.sqlite was damaged and is kept as \(path); a fresh one took its place, without any groups: "
                    + "import the local ones again")
        }
        return mirror
    }

    /// Decides what connections collect, for a command that makes no mirror: only a universe key needs one.
    ///
    /// - Throws: `.missing` if there is a key and no mirror, and what ``Symbols/open(_:single:cache:logger:)`` throws.
    func symbolPlan(of wishes: [SymbolWish], single: SymbolWish?, _ logger: Logger) async throws -> SymbolPlan {
        let keys = SymbolPlan.keys(of: wishes + [single].compactMap(\.self))
        let cache = try keys.isEmpty ? nil : relationshipCache(openMirror(.readOnly))
        return try await Symbols.open(wishes, single: single, cache: cache, logger: logger)
    }
}

extension UniverseMirror {
    /// Finds the group of a name, and of a type if given, in the environment of the settings.
    ///
    /// - Throws: ``CommandFailure`` if there is none, or if the name fits several.
    func group(named name: String, type: GroupType?, _ settings: Settings) throws -> MirrorContents.Group {
        let environment = settings.universe.environment.rawValue
        let (found, names, group) = try withSnapshot { snapshot in
            let all = try snapshot.headings().filter {
                $0.environment == environment && (type == nil || $0.type == type)
            }
            var found = all.filter { $0.name == name }
            if found.isEmpty { found = all.filter { $0.name.lowercased() == name.lowercased() } }
            let group = try found.first.flatMap { heading in
                try snapshot.group(.init(name: heading.name, type: heading.type.rawValue, environment: environment))
            }
            return (found, all.map(\.name), group)
        }
        guard let group else {
            let hint = NearestNames.guess(name, among: names) ?? "edgetick universe list shows them"
            throw CommandFailure(.badData, "there is no group \"\(name)\" in environment \(environment): \(hint)")
        }
        guard found.count == 1 else {
            let types = found.map { "\($0.name) \($0.type.rawValue)" }.sorted().joined(separator: ", ")
            throw CommandFailure(.usage, "\"\(name)\" means several groups: \(types); choose with --type")
        }
        return group
    }
}
