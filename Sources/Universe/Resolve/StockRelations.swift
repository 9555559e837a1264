public import MarketData
public import Store

/// A group other than an ETF that holds a stock.
public struct StockGroup: Sendable, Equatable, Codable {
    /// The group's name.
    public var name: String
    /// The group's type.
    public var type: GroupType
    /// The stock's share of the group in percent, when known.
    public var weight: Double?
}

/// What is known about one stock.
public struct StockRelations: Sendable, Equatable {
    /// The sector and industry.
    public var classification: StockClassification
    /// The ETFs that hold it, by name.
    public var etfs: [StockETF]
    /// The universes, sectors, themes, segments and other groups that it is in, by type and name.
    public var groups: [StockGroup]

    /// Whether any group holds the stock.
    public var isKnown: Bool { classification != .unknown || !etfs.isEmpty || !groups.isEmpty }
}

/// A group with its members.
public struct RelatedGroup: Sendable, Equatable {
    /// The group.
    public var group: UniverseGroup
    /// The members, by symbol; a sector's have no weights.
    public var members: [GroupMember]
}

extension RelationshipCache {
    /// Returns all that is known about a stock; a stock in no group has the sector `unknown`.
    public func relations(of symbol: String) async throws(StoreError) -> StockRelations {
        StockRelations(
            classification: try await classification(of: symbol), etfs: try await etfs(holding: symbol),
            groups: try await groups(holding: symbol))
    }

    /// Returns the ETF, sector or theme of a name with its members; `nil` when there is none. An exact name is
    /// preferred to one that differs in case. A group of another type comes without members.
    public func group(named name: String, of type: GroupType) async throws(StoreError) -> RelatedGroup? {
        let groups = try await groups(of: type)
        let folded = name.lowercased()
        let found = groups.first { $0.name == name } ?? groups.first { $0.name.lowercased() == folded }
        guard let group = found else { return nil }
        guard let kind = type.memberKind else { return RelatedGroup(group: group, members: []) }
        return RelatedGroup(group: group, members: try await members(kind, of: group.name))
    }
}
