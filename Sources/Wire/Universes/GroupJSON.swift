package import MarketData
package import Store
package import Universe

/// A group of symbols.
package struct GroupJSON: WireObject {
    package var name: String
    package var type: GroupType
    package var description: String?
    package var environment: String
    package var member_count: Int
    package var origin: GroupOrigin
    package var updated_ms: Int64

    package static let meanings = [
        "origin": "pulled: from the database, replaced by the next pull; local: from this machine",
        "updated_ms": "When it last changed",
    ]

    package init(_ group: UniverseGroup) {
        name = group.name
        type = group.type
        description = group.description
        environment = group.environment
        member_count = group.memberCount
        origin = group.origin
        updated_ms = group.updatedAt
    }
}

/// Groups: `/api/groups`, `/api/universes`, `edgetick universe list`.
package struct GroupsJSON: WireObject {
    package var count: Int
    package var groups: [GroupJSON]

    package init(_ groups: [UniverseGroup]) {
        count = groups.count
        self.groups = groups.map(GroupJSON.init)
    }
}

package struct MemberJSON: WireObject {
    package var symbol: String
    package var weight: Double?
    package var sector: String?

    package static let meanings = [
        "weight": "Its share in percent, where known", "sector": "The sector that it is in, if any",
    ]

    init(_ member: GroupMember, sector: String?) {
        symbol = member.symbol
        weight = member.weight
        self.sector = sector
    }

    init(_ member: MemberRecord) {
        symbol = member.symbol
        weight = member.weight
    }
}

/// A group's members: `/api/groups/{type}/{name}`, and for three of the types `/api/etfs/{symbol}`,
/// `/api/sectors/{name}` and `/api/themes/{name}`.
package struct GroupMembersJSON: WireObject {
    package var group: GroupJSON
    package var members: [MemberJSON]

    private enum CodingKeys: String, CodingKey {
        case members
    }

    package static let meanings = GroupJSON.meanings

    /// - Parameter sectors: The sector of each symbol.
    package init(_ found: RelatedGroup, sectors: [String: String]) {
        group = GroupJSON(found.group)
        members = found.members.map { MemberJSON($0, sector: sectors[$0.symbol]) }
    }

    package init(from decoder: any Decoder) throws {
        group = try GroupJSON(from: decoder)
        members = try decoder.container(keyedBy: CodingKeys.self).decode([MemberJSON].self, forKey: .members)
    }

    package func encode(to encoder: any Encoder) throws {
        try group.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(members, forKey: .members)
    }
}

/// What a universe key means: `/api/universes/{key}`, `edgetick universe resolve`.
package struct ResolutionJSON: WireObject {
    package var key: String
    package var count: Int
    package var symbols: [String]
    package var parts: [Resolution.Part]
    package var unknown: [Resolution.Unknown]
    package var warnings: [String]

    package static let meanings = ["symbols": "The union, sorted", "unknown": "Parts that name no group"]

    package init(key: String, _ resolution: Resolution) {
        self.key = key
        count = resolution.symbols.count
        symbols = resolution.symbols.map(\.description)
        parts = resolution.parts
        unknown = resolution.unknown
        warnings = resolution.warnings
    }
}

extension Resolution.Part: WireObject {
    package static let meanings = ["part": "As written", "count": "Distinct symbols before the union"]
}

extension Resolution.Unknown: WireObject {
    package static let meanings = ["nearest": "Names that resemble it, best first"]
}

/// What is known about a stock: `/api/stocks/{symbol}`, `edgetick universe show --stock`.
package struct StockJSON: WireObject {
    package var symbol: String
    package var is_known: Bool
    package var sector: String
    package var industry: String
    package var etfs: [StockETF]
    package var universes: [String]
    package var themes: [String]
    package var groups: [StockGroup]
    package var connections: [String]
    package var nearest: [String]

    package static let meanings = [
        "is_known": "Whether any group has it",
        "sector": "unknown where none is known",
        "industry": "Unknown where none is known",
        "groups": "All but ETFs and sectors",
        "connections": "Ids of those it is assigned to; empty on the command line",
        "nearest": "Symbols that are collected and resemble it, where it is neither known nor collected",
    ]

    package init(_ symbol: String, _ stock: StockRelations, connections: [String] = [], nearest: [String] = []) {
        self.symbol = symbol
        is_known = stock.isKnown
        sector = stock.classification.sector
        industry = stock.classification.industry
        etfs = stock.etfs
        universes = stock.groups.filter { $0.type == .universe }.map(\.name)
        themes = stock.groups.filter { $0.type == .theme }.map(\.name)
        groups = stock.groups
        self.connections = connections
        self.nearest = nearest
    }
}

extension StockETF: WireObject {
    package static let meanings = ["weight": "The stock's share of the ETF in percent, where known"]
}

extension StockGroup: WireObject {
    package static let meanings = ["weight": "The stock's share of the group in percent, where known"]
}

/// What the cache dropped: `POST /api/universes/refresh`.
package struct RefreshJSON: WireObject {
    package var type: RelationshipKind?
    package var key: String?
    package var dropped_count: Int

    package static let meanings = ["dropped_count": "Answers that were dropped"]

    package init(type: RelationshipKind?, key: String?, dropped: Int) {
        self.type = type
        self.key = key
        dropped_count = dropped
    }
}
