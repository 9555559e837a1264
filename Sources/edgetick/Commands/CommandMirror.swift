import Collector
import FoundationEssentials
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

    /// Whether there is a mirror.
    var hasMirror: Bool { FileManager.default.fileExists(atPath: dataDirectory + "/" + LocalFile.universe.name) }

    /// Runs `body` with the mirror, for a command that brings groups. If there is none, one is made, and that is said:
    /// the directory may be a mistyped one. A dry run changes no file; without a mirror it uses an empty one elsewhere.
    func withMirror<Result>(
        isDryRun: Bool = false, _ body: (UniverseMirror) async throws -> Result
    ) async throws -> Result {
        guard isDryRun else {
            let isThere = hasMirror
            let mirror = try openMirror(.readWrite)
            if !isThere {
                let name = LocalFile.universe.name
                printRemark("there was no \(name) in \(dataDirectory); a new one takes what this adds")
            }
            return try await body(mirror)
        }
        if let mirror = try mirrorToRead() { return try await body(mirror) }
        let directory = try DemoDirectory.fresh("edgetick-dry-run")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        return try await body(UniverseMirror.open(directory: directory, access: .readWrite))
    }

    /// Opens the mirror to read it; `nil` if there is none, or if its file is still empty.
    private func mirrorToRead() throws(StoreError) -> UniverseMirror? {
        do throws(StoreError) {
            return try openMirror(.readOnly)
        } catch {
            guard error.reason == .missing else { throw error }
            return nil
        }
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
