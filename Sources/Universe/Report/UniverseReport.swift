import MarketData
public import Store

/// What the mirror holds, in figures: groups by type, the universes and what they share, sectors, the last pull. Pure.
public struct UniverseReport: Sendable, Equatable, Codable {
    /// A group type's figures.
    public struct TypeRow: Sendable, Equatable, Codable {
        /// The type.
        public var type: String
        /// How many groups there are.
        public var groups: Int
        /// How many of them are local.
        public var local: Int
        /// How many memberships they have together.
        public var memberships: Int
        /// How many different symbols they have together.
        public var symbols: Int
    }

    /// A group's figures.
    public struct GroupRow: Sendable, Equatable, Codable {
        /// Its name.
        public var name: String
        /// Its type.
        public var type: String
        /// How many members it has.
        public var members: Int
        /// The sum of its weights in percent; `nil` when it has none.
        public var weightSum: Double?
        /// Its three heaviest members.
        public var heaviest: [String]
        /// Where it came from.
        public var origin: String

        private enum CodingKeys: String, CodingKey {
            case name, type, members
            case weightSum = "weight_sum"
            case heaviest, origin
        }
    }

    /// What two universes share.
    public struct Overlap: Sendable, Equatable, Codable {
        /// The smaller one.
        public var first: String
        /// The larger one.
        public var second: String
        /// How many symbols are in both.
        public var shared: Int
        /// The share of the smaller one, from 0 to 1.
        public var share: Double
    }

    /// A sector's figures.
    public struct SectorRow: Sendable, Equatable, Codable {
        /// Its name.
        public var name: String
        /// How many stocks it has.
        public var stocks: Int
        /// How many industries are named among them.
        public var industries: Int
    }

    private enum CodingKeys: String, CodingKey {
        case environment, symbols, entries, types, groups, overlaps, sectors
        case sectorCoverage = "sector_coverage"
        case source
        case pullAgeSeconds = "pull_age_seconds"
    }

    /// The environment that the report is about.
    public var environment: String
    /// How many different symbols there are.
    public var symbols: Int
    /// How many cache entries (settings, themes) there are.
    public var entries: Int
    /// The figures of each group type.
    public var types: [TypeRow]
    /// The universes and ETFs, the largest first.
    public var groups: [GroupRow]
    /// The pairs of universes and ETFs that share the most symbols; twenty at most.
    public var overlaps: [Overlap]
    /// The sectors, the largest first.
    public var sectors: [SectorRow]
    /// The share of stocks that have a sector, from 0 to 1.
    public var sectorCoverage: Double
    /// Where the pulled groups came from; `nil` when there was no pull.
    public var source: String?
    /// How old the last pull is, in seconds.
    public var pullAgeSeconds: Int64?

    /// Makes a report of one environment.
    ///
    /// - Parameter now: in milliseconds since the Unix epoch.
    public init(_ contents: MirrorContents, environment: String, now: Int64) {
        let own = contents.groups.filter { $0.record.identity.environment == environment }
        self.environment = environment
        entries = contents.entries.count { $0.environment == environment }
        source = contents.pull?.source
        pullAgeSeconds = contents.pull.map { max(0, (now - $0.checkedAt) / 1000) }
        symbols = UniverseReport.symbolCount(of: own)
        let byType = Dictionary(grouping: own, by: \.record.identity.type)
        types = byType.sorted { $0.key < $1.key }.map { type, groups in
            TypeRow(
                type: type, groups: groups.count, local: groups.count { $0.origin == .local },
                memberships: groups.reduce(0) { $0 + $1.record.members.count },
                symbols: UniverseReport.symbolCount(of: groups))
        }
        let keyed = own.filter(\.record.identity.isUniverse)
            .sorted { ($1.record.members.count, $0.record.identity) < ($0.record.members.count, $1.record.identity) }
        groups = keyed.map(GroupRow.init)
        overlaps = UniverseReport.overlaps(keyed)
        sectors = own.filter { $0.record.identity.type == GroupType.sector.rawValue }.map { group in
            let industries = Set(Set(group.record.members.compactMap(\.metadata)).compactMap(UniverseReport.industry))
            return SectorRow(
                name: group.record.identity.name, stocks: group.record.members.count, industries: industries.count)
        }.sorted { ($1.stocks, $0.name) < ($0.stocks, $1.name) }
        sectorCoverage = SectorDerivation.coverage(of: own, environment: environment).share
    }

    private static func symbolCount(of groups: [MirrorContents.Group]) -> Int {
        var symbols: Set<String> = []
        for group in groups { symbols.formUnion(group.record.members.lazy.map(\.symbol)) }
        return symbols.count
    }

    private static func industry(_ metadata: String) -> String? {
        guard case .object(let fields)? = JSONValue(parsing: metadata), case .string(let name)? = fields["industry"]
        else { return nil }
        return name
    }

    /// Returns the pairs that share the most symbols, among the forty largest groups.
    private static func overlaps(_ groups: [MirrorContents.Group]) -> [Overlap] {
        let sets = groups.prefix(40).map { ($0.record.identity.name, Set($0.record.members.map(\.symbol))) }
        var overlaps: [Overlap] = []
        for (index, second) in sets.enumerated() {
            for first in sets[(index + 1)...] where !first.1.isEmpty {
                let shared = first.1.count(where: second.1.contains)
                guard shared > 0 else { continue }
                overlaps.append(
                    Overlap(
                        first: first.0, second: second.0, shared: shared,
                        share: Double(shared) / Double(first.1.count)))
            }
        }
        overlaps.sort { ($1.shared, $0.first, $0.second) < ($0.shared, $1.first, $1.second) }
        return Array(overlaps.prefix(20))
    }
}

extension UniverseReport.GroupRow {
    init(_ group: MirrorContents.Group) {
        let weights = group.record.members.compactMap { member in member.weight.map { (member.symbol, $0) } }
        self.init(
            name: group.record.identity.name, type: group.record.identity.type, members: group.record.members.count,
            weightSum: weights.isEmpty ? nil : weights.reduce(0) { $0 + $1.1 },
            heaviest: weights.sorted { ($1.1, $0.0) < ($0.1, $1.0) }.prefix(3).map(\.0), origin: group.origin.rawValue)
    }
}
