/// Groups, their members and the cache entries as two stores exchange them: the mirror file and the database.
///
/// Texts stay as the source wrote them, JSON included, so that a copy is exact. Times are milliseconds since the Unix
/// epoch.
public struct UniverseRecords: Sendable, Equatable {
    /// The groups with their members.
    public var groups: [GroupRecord]
    /// The cache entries that are not stock universes.
    public var entries: [CacheEntryRecord]

    /// Makes records.
    public init(groups: [GroupRecord] = [], entries: [CacheEntryRecord] = []) {
        self.groups = groups
        self.entries = entries
    }

    /// The number of memberships in all groups.
    public var membershipCount: Int { groups.reduce(0) { $0 + $1.members.count } }
}

/// What a group is: `definition_groups.type`.
public enum GroupType: String, Sendable, Hashable, CaseIterable, Codable {
    /// A list that somebody chose.
    case universe = "UNIVERSE"
    /// An exchange-traded fund's holdings.
    case etf = "ETF"
    /// An investment theme.
    case theme = "THEME"
    /// A sector of the market.
    case sector = "SECTOR"
    /// A segment of the market.
    case segment = "SEGMENT"
    /// Anything else.
    case custom = "CUSTOM"
}

/// A row of `definition_groups` with its members.
public struct GroupRecord: Sendable, Equatable {
    /// What identifies a group.
    public struct Identity: Sendable, Hashable, Comparable, Codable {
        /// The group's name.
        public var name: String
        /// Its type as written; usually a ``GroupType``.
        public var type: String
        /// Its environment.
        public var environment: String

        /// Makes an identity.
        public init(name: String, type: String, environment: String) {
            self.name = name
            self.type = type
            self.environment = environment
        }

        /// Orders by environment, type and name.
        public static func < (left: Identity, right: Identity) -> Bool {
            (left.environment, left.type, left.name) < (right.environment, right.type, right.name)
        }
    }

    /// Name, type and environment.
    public var identity: Identity
    /// A sentence about it.
    public var description: String?
    /// A JSON document.
    public var metadata: String?
    /// A JSON document.
    public var liquidityFilter: String?
    /// When it was made.
    public var createdAt: Int64?
    /// When it last changed.
    public var updatedAt: Int64?
    /// When its members were last loaded.
    public var lastUpdate: Int64?
    /// Its members, each symbol once, sorted by symbol.
    public var members: [MemberRecord]

    /// Makes a record.
    public init(
        identity: Identity, description: String? = nil, metadata: String? = nil, liquidityFilter: String? = nil,
        createdAt: Int64? = nil, updatedAt: Int64? = nil, lastUpdate: Int64? = nil, members: [MemberRecord] = []
    ) {
        self.identity = identity
        self.description = description
        self.metadata = metadata
        self.liquidityFilter = liquidityFilter
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.lastUpdate = lastUpdate
        self.members = members
    }
}

/// A row of `group_memberships`.
public struct MemberRecord: Sendable, Equatable, Codable {
    /// The ticker as the source writes it.
    public var symbol: String
    /// Its share of the group in percent, where the source gives one.
    public var weight: Double?
    /// A JSON document.
    public var metadata: String?
    /// When it joined.
    public var createdAt: Int64?

    /// Makes a record.
    public init(symbol: String, weight: Double? = nil, metadata: String? = nil, createdAt: Int64? = nil) {
        self.symbol = symbol
        self.weight = weight
        self.metadata = metadata
        self.createdAt = createdAt
    }
}

/// A row of `cache_entries`.
public struct CacheEntryRecord: Sendable, Equatable, Codable {
    /// What kind of entry it is, such as `app_settings`.
    public var type: String
    /// The name within the kind.
    public var name: String
    /// The key below the name.
    public var key: String
    /// A JSON document.
    public var value: String?
    /// Its environment.
    public var environment: String
    /// When it last changed.
    public var updatedAt: Int64?

    /// The types that held lists of stocks before there were groups; no mirror stores them.
    public static let legacyTypes = ["stock_universe", "etf_universe", "stock_etf_combo"]

    /// Makes a record.
    public init(type: String, name: String, key: String, value: String?, environment: String, updatedAt: Int64? = nil) {
        self.type = type
        self.name = name
        self.key = key
        self.value = value
        self.environment = environment
        self.updatedAt = updatedAt
    }
}

extension UniverseRecords {
    /// A digest of everything in the records; the order of rows makes no difference.
    public var checksum: String {
        var digest = ContentDigest()
        for group in groups.sorted(by: { $0.identity < $1.identity }) {
            for text in [
                "group", group.identity.environment, group.identity.type, group.identity.name, group.description,
                group.metadata, group.liquidityFilter,
            ] { digest.add(field: text) }
            for time in [group.createdAt, group.updatedAt, group.lastUpdate] {
                digest.add(field: time.map(String.init))
            }
            // Members are usually sorted already, and there may be a million.
            let isSorted = zip(group.members, group.members.dropFirst()).allSatisfy { $0.symbol <= $1.symbol }
            for member in isSorted ? group.members : group.members.sorted(by: { $0.symbol < $1.symbol }) {
                digest.add(field: member.symbol)
                digest.add(field: member.weight.map { "\($0)" })
                digest.add(field: member.metadata)
                digest.add(field: member.createdAt.map(String.init))
            }
        }
        let sorted = entries.sorted {
            ($0.environment, $0.type, $0.name, $0.key) < ($1.environment, $1.type, $1.name, $1.key)
        }
        for entry in sorted {
            for text in ["entry", entry.environment, entry.type, entry.name, entry.key, entry.value] {
                digest.add(field: text)
            }
            digest.add(field: entry.updatedAt.map(String.init))
        }
        return digest.hex()
    }
}
