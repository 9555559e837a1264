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
    /// - Throws: reason `malformed`, for a weight that is not a number.
    public static func json(_ contents: MirrorContents) throws(UniverseArchiveError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(Document(contents))) + Array("\n".utf8)
        } catch {
            throw UniverseArchiveError(.malformed, "the mirror can't be written as JSON: \(error)")
        }
    }

    /// Whether a file looks like such a backup.
    public static func isJSON(_ bytes: [UInt8]) -> Bool {
        let start = bytes.firstIndex { ![0x20, 0x0A, 0x0D, 0x09, 0xEF, 0xBB, 0xBF].contains($0) }
        return start.map { bytes[$0] == UInt8(ascii: "{") } ?? false
    }

    /// Reads a backup.
    public static func contents(json: [UInt8]) throws(UniverseArchiveError) -> MirrorContents {
        struct Head: Decodable {
            var format: String
            var version: Int
        }
        let data = Data(json)
        guard let head = try? JSONDecoder().decode(Head.self, from: data), head.format == name else {
            throw UniverseArchiveError(
                .foreign, "the file is not a backup of a mirror: it doesn't say \"format\": \"\(name)\"")
        }
        guard head.version <= version else {
            throw UniverseArchiveError(
                .tooNew,
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
            throw UniverseArchiveError(.malformed, "the backup is damaged: \(error.place)")
        } catch {
            throw UniverseArchiveError(.malformed, "the backup is damaged: \(error)")
        }
    }

    /// Checks for what SQLite would refuse later.
    static func checked(_ contents: MirrorContents) throws(UniverseArchiveError) -> MirrorContents {
        var known: Set<GroupRecord.Identity> = []
        for group in contents.groups {
            let identity = group.record.identity
            guard !identity.name.isEmpty, !identity.environment.isEmpty, !identity.type.isEmpty else {
                throw UniverseArchiveError(
                    .malformed, "the backup is damaged: a group has no name, type or environment")
            }
            guard known.insert(identity).inserted else {
                throw UniverseArchiveError(
                    .malformed,
                    "the backup is damaged: the \(identity.type) group \(quoted(identity.name)) is in it twice")
            }
            guard !group.record.members.contains(where: \.symbol.isEmpty) else {
                throw UniverseArchiveError(
                    .malformed, "the backup is damaged: a member of \(quoted(identity.name)) has no symbol")
            }
        }
        return contents
    }
}

extension UniverseArchive {
    fileprivate struct Document: Codable {
        struct Member: Codable {
            var symbol: String
            var weight: Double?
            var metadata: String?
            var createdAt: Int64?
        }

        struct Import: Codable {
            var source: String
            var format: String
            var checksum: String
            var importedAt: Int64
        }

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
            var imported: Import?
            var members: [Member]
        }

        struct Entry: Codable {
            var type: String
            var name: String
            var key: String
            var value: String?
            var environment: String
            var updatedAt: Int64?
        }

        struct Pull: Codable {
            var source: String
            var pulledAt: Int64
            var checkedAt: Int64
            var checksum: String
            var groups: Int
            var memberships: Int
            var entries: Int
        }

        var format = UniverseArchive.name
        var version = UniverseArchive.version
        var pull: Pull?
        var groups: [Group]
        var cacheEntries: [Entry]

        init(_ contents: MirrorContents) {
            pull = contents.pull.map {
                Pull(
                    source: $0.source, pulledAt: $0.pulledAt, checkedAt: $0.checkedAt, checksum: $0.checksum,
                    groups: $0.groups, memberships: $0.memberships, entries: $0.entries)
            }
            groups = contents.groups.map { group in
                let record = group.record
                return Group(
                    name: record.identity.name, type: record.identity.type, environment: record.identity.environment,
                    description: record.description, metadata: record.metadata,
                    liquidityFilter: record.liquidityFilter, createdAt: record.createdAt,
                    updatedAt: record.updatedAt, lastUpdate: record.lastUpdate, origin: group.origin.rawValue,
                    imported: group.imported.map {
                        Import(source: $0.source, format: $0.format, checksum: $0.checksum, importedAt: $0.importedAt)
                    },
                    members: record.members.map {
                        Member(symbol: $0.symbol, weight: $0.weight, metadata: $0.metadata, createdAt: $0.createdAt)
                    })
            }
            cacheEntries = contents.entries.map {
                Entry(
                    type: $0.type, name: $0.name, key: $0.key, value: $0.value, environment: $0.environment,
                    updatedAt: $0.updatedAt)
            }
        }

        func contents() throws(UniverseArchiveError) -> MirrorContents {
            var contents = MirrorContents()
            for group in groups {
                guard let origin = GroupOrigin(rawValue: group.origin) else {
                    throw UniverseArchiveError(
                        .malformed, "the backup is damaged: group \(quoted(group.name)) has no known origin")
                }
                contents.groups.append(
                    .init(
                        record: GroupRecord(
                            identity: .init(name: group.name, type: group.type, environment: group.environment),
                            description: group.description, metadata: group.metadata,
                            liquidityFilter: group.liquidityFilter, createdAt: group.createdAt,
                            updatedAt: group.updatedAt, lastUpdate: group.lastUpdate,
                            members: group.members.map {
                                MemberRecord(
                                    symbol: $0.symbol, weight: $0.weight, metadata: $0.metadata,
                                    createdAt: $0.createdAt)
                            }), origin: origin,
                        imported: group.imported.map {
                            ImportNote(
                                source: $0.source, format: $0.format, checksum: $0.checksum, importedAt: $0.importedAt)
                        }))
            }
            contents.entries = cacheEntries.map {
                CacheEntryRecord(
                    type: $0.type, name: $0.name, key: $0.key, value: $0.value, environment: $0.environment,
                    updatedAt: $0.updatedAt)
            }
            contents.pull = pull.map {
                PullNote(
                    source: $0.source, pulledAt: $0.pulledAt, checkedAt: $0.checkedAt, checksum: $0.checksum,
                    groups: $0.groups, memberships: $0.memberships, entries: $0.entries)
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
            case .typeMismatch(_, let context): (context, "a value of another kind")
            case .valueNotFound(_, let context): (context, "a value is missing")
            case .dataCorrupted(let context): (context, "it can't be read")
            @unknown default: (Context(codingPath: [], debugDescription: ""), "it can't be read")
            }
        let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
        return path.isEmpty ? what : "\(what) at \(path.dropFirst(path.hasPrefix(".") ? 1 : 0))"
    }
}
