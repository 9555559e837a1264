import MarketData
import Store

/// Reads answers from one snapshot of the mirror.
struct RelationshipLoader {
    let snapshot: UniverseMirror.Snapshot
    let environment: String

    /// - Returns: a failure only for a universe key that can't be resolved.
    func load(_ key: CacheKey) throws(StoreError) -> CacheAnswer {
        switch key.kind {
        case .universe:
            return try UniverseResolver.resolve(key.text, in: snapshot, environment: environment)
                .map(CacheValue.resolution)
        case .etfHoldings: return .success(.members(try members(.etf, key.text)))
        case .themeMembers: return .success(.members(try members(.theme, key.text)))
        case .sectorStocks: return .success(.members(try members(.sector, key.text)))
        case .stockETFs:
            let etfs = try snapshot.memberships(of: key.text, in: .etf, environment: environment)
            return .success(.etfs(etfs.map { StockETF(name: $0.group, weight: $0.weight) }))
        case .stockGroups:
            // Not warmed up: a look-up by symbol is quick, and there may be many memberships.
            var groups: [StockGroup] = []
            for type in GroupType.allCases where type != .etf {
                groups += try snapshot.memberships(of: key.text, in: type, environment: environment)
                    .map { StockGroup(name: $0.group, type: type, weight: $0.weight) }
            }
            return .success(.stockGroups(groups))
        case .classification where key.text.isEmpty:
            var sectors: [String: String] = [:]
            Self.forEachSymbol(try snapshot.memberships(in: .sector, environment: environment)) { symbol, rows in
                sectors[symbol] = Self.classification(rows).sector
            }
            return .success(.sectors(sectors))
        case .classification:
            let found = try snapshot.memberships(of: key.text, in: .sector, environment: environment)
            return .success(.classification(Self.classification(found[...])))
        case .groups:
            let groups = try snapshot.groups(environment: environment)
            return .success(.groups(key.text.isEmpty ? groups : groups.filter { $0.type.rawValue == key.text }))
        }
    }

    /// A stock in several sectors counts in the first that knows its industry, or else in the first by name.
    private static func classification(_ found: ArraySlice<SymbolMembership>) -> StockClassification {
        guard let best = found.first(where: { $0.industry != nil }) ?? found.first else { return .unknown }
        return StockClassification(sector: best.group, industry: best.industry ?? StockClassification.unknown.industry)
    }

    private func members(_ type: GroupType, _ name: String) throws(StoreError) -> [GroupMember] {
        let found = try snapshot.headings().first {
            $0.name == name && $0.type == type && $0.environment == environment
        }
        guard let found else { return [] }
        return try members(of: found.id, type)
    }

    /// Returns a group's members. A sector's weights are those in its ETF, and are left out.
    private func members(of id: Int64, _ type: GroupType) throws(StoreError) -> [GroupMember] {
        let members = try snapshot.members(of: id)
        return type == .sector ? members.map { GroupMember(symbol: $0.symbol) } : members
    }

    /// The answers that are likely to be asked for: groups, ETFs, sectors, themes, and what is known of each stock.
    func all() throws(StoreError) -> [(CacheKey, CacheValue)] {
        let groups = try snapshot.groups(environment: environment)
        var answers: [(CacheKey, CacheValue)] = [(CacheKey(.groups, ""), .groups(groups))]
        for type in GroupType.allCases {
            answers.append((CacheKey(.groups, type.rawValue), .groups(groups.filter { $0.type == type })))
        }
        for group in groups {
            guard let kind = group.type.memberKind else { continue }
            answers.append((CacheKey(kind, group.name), .members(try members(of: group.id, group.type))))
        }
        let held = try snapshot.memberships(in: .etf, environment: environment)
        Self.forEachSymbol(held) { symbol, rows in
            let etfs = rows.map { StockETF(name: $0.group, weight: $0.weight) }
            answers.append((CacheKey(.stockETFs, symbol), .etfs(etfs)))
        }
        let classified = try snapshot.memberships(in: .sector, environment: environment)
        Self.forEachSymbol(classified) { symbol, rows in
            answers.append((CacheKey(.classification, symbol), .classification(Self.classification(rows))))
        }
        return answers
    }

    private static func forEachSymbol(
        _ rows: [SymbolMembership], _ body: (String, ArraySlice<SymbolMembership>) -> Void
    ) {
        var start = 0
        while start < rows.count {
            let symbol = rows[start].symbol
            var end = start + 1
            while end < rows.count, rows[end].symbol == symbol { end += 1 }
            body(symbol, rows[start..<end])
            start = end
        }
    }
}
