import FoundationEssentials
import MarketData
public import Store

/// The whole mirror as JSON text: a backup that people can read, and from which the mirror is restored exactly.
public enum UniverseArchive {
    /// The newest version of the format that is written and read.
    public static let version = 1
    static let name = "edgetick-universe"

    /// Returns the mirror as JSON, with sorted keys; the same contents give the same bytes.
    ///
    /// - Throws: for a weight that is not a number.
    public static func json(_ contents: MirrorContents) throws(UniverseArchiveError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(Document(contents))) + Array("\n".utf8)
        } catch {
            throw UniverseArchiveError("the mirror can't be written as JSON: \(error)")
        }
    }

    /// Whether a file looks like such a backup.
    public static func isJSON(_ bytes: [UInt8]) -> Bool {
        bytes.first { !ListText.blanks.contains($0) } == UInt8(ascii: "{")
    }

    /// Reads a backup.
    public static func contents(json: [UInt8]) throws(UniverseArchiveError) -> MirrorContents {
        struct Head: Decodable {
            var format: String
            var version: Int
        }
        let data = Data(json)
        guard let head = try? JSONDecoder().decode(Head.self, from: data), head.format == name else {
            throw UniverseArchiveError("the file is not a backup of a mirror: it doesn't say \"format\": \"\(name)\"")
        }
        guard head.version <= version else {
            throw UniverseArchiveError(
                "the backup has format version \(head.version), and this EdgeTick reads up to \(version): use a newer "
                    + "EdgeTick")
        }
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Document.self, from: data).contents()
        } catch let error as UniverseArchiveError {
            throw error
        } catch let error as DecodingError {
            throw .damaged(error.place)
        } catch {
            throw .damaged("\(error)")
        }
    }

    /// Checks for everything that SQLite would refuse later.
    static func checked(_ contents: MirrorContents) throws(UniverseArchiveError) -> MirrorContents {
        var known: Set<GroupRecord.Identity> = []
        for group in contents.groups {
            let identity = group.record.identity
            guard !identity.name.isEmpty, !identity.environment.isEmpty, !identity.type.isEmpty else {
                throw .damaged("a group has no name, type or environment")
            }
            guard known.insert(identity).inserted else {
                throw .damaged("the \(identity.type) group \(quoted(identity.name)) is in it twice")
            }
            guard !group.record.members.contains(where: \.symbol.isEmpty) else {
                throw .damaged("a member of \(quoted(identity.name)) has no symbol")
            }
        }
        return contents
    }
}

extension UniverseArchive {
    fileprivate struct Document: Codable {
        struct Group: Codable {
            var name: String
            var type: String
            var environment: String
            var description: String?
            var metadata: String?
            var liquidityFilter: String?
            var createdAt: Int64?
            var updatedAt: Int64?
            var lastUpdate: Int64?
            var origin: String
            var imported: ImportNote?
            var members: [MemberRecord]
        }

        var format = UniverseArchive.name
        var version = UniverseArchive.version
        var pull: PullNote?
        var groups: [Group]
        var cacheEntries: [CacheEntryRecord]

        init(_ contents: MirrorContents) {
            pull = contents.pull
            cacheEntries = contents.entries
            groups = contents.groups.map { group in
                let record = group.record
                return Group(
                    name: record.identity.name, type: record.identity.type, environment: record.identity.environment,
                    description: record.description, metadata: record.metadata,
                    liquidityFilter: record.liquidityFilter, createdAt: record.createdAt,
                    updatedAt: record.updatedAt, lastUpdate: record.lastUpdate, origin: group.origin.rawValue,
                    imported: group.imported, members: record.members)
            }
        }

        func contents() throws(UniverseArchiveError) -> MirrorContents {
            var contents = MirrorContents(entries: cacheEntries, pull: pull)
            for group in groups {
                guard let origin = GroupOrigin(rawValue: group.origin) else {
                    throw .damaged("group \(quoted(group.name)) has no known origin")
                }
                let record = GroupRecord(
                    identity: .init(name: group.name, type: group.type, environment: group.environment),
                    description: group.description, metadata: group.metadata, liquidityFilter: group.liquidityFilter,
                    createdAt: group.createdAt, updatedAt: group.updatedAt, lastUpdate: group.lastUpdate,
                    members: group.members)
                contents.groups.append(.init(record: record, origin: origin, imported: group.imported))
            }
            return try UniverseArchive.checked(contents)
        }
    }
}

extension DecodingError {
    /// Where in the document something is wrong, in a few words.
    fileprivate var place: String {
        let (context, what): (Context, String) =
            switch self {
            case .keyNotFound(let key, let context): (context, "\(key.stringValue) is missing")
            case .typeMismatch(_, let context): (context, "a value has the wrong type")
            case .valueNotFound(_, let context): (context, "a value is missing")
            case .dataCorrupted(let context): (context, "it can't be read")
            @unknown default: (Context(codingPath: [], debugDescription: ""), "it can't be read")
            }
        let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
        return path.isEmpty ? what : "\(what) at \(path.dropFirst(path.hasPrefix(".") ? 1 : 0))"
    }
}
