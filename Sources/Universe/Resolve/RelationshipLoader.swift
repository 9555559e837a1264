import MarketData
import Store

/// Why an answer could not be loaded.
enum LoadFailure: Error {
    case universe(UniverseError)
    case store(StoreError)
}

/// Reads answers from one snapshot of the mirror.
struct RelationshipLoader {
    let snapshot: UniverseMirror.Snapshot
    let environment: String

    func load(_ key: CacheKey) throws(LoadFailure) -> CacheValue {
        if key.kind == .universe { return .resolution(try resolve(key.text)) }
        do {
            return try read(key)
        } catch {
            throw .store(error)
        }
    }

    private func resolve(_ text: String) throws(LoadFailure) -> Resolution {
        do {
            return try UniverseResolver.resolve(
                try UniverseResolver.parse(text), in: snapshot, environment: environment)
        } catch {
            throw .universe(error)
        }
    }

    private func read(_ key: CacheKey) throws(StoreError) -> CacheValue {
        switch key.kind {
        case .universe: return .names([])
        case .etfHoldings: return .members(try members(.etf, key.text))
        case .themeMembers: return .members(try members(.theme, key.text))
        case .sectorStocks: return .names(try members(.sector, key.text).map(\.symbol))
        case .stockETFs:
            return .etfs(
                try snapshot.memberships(of: key.text, in: .etf, environment: environment)
                    .map { StockETF(name: $0.group, weight: $0.membership.weight) })
        case .stockGroups:
            // Not warmed up: a look-up by symbol is quick, and there may be many memberships.
            var groups: [StockGroup] = []
            for type in GroupType.allCases where type != .etf {
                groups += try snapshot.memberships(of: key.text, in: type, environment: environment)
                    .map { StockGroup(name: $0.group, type: type, weight: $0.membership.weight) }
            }
            return .stockGroups(groups)
        case .classification where key.text.isEmpty:
            var sectors: [String: String] = [:]
            Self.forEachSymbol(try snapshot.memberships(in: .sector, environment: environment)) { symbol, rows in
                sectors[symbol] = Self.classification(rows).sector
            }
            return .sectors(sectors)
        case .classification:
            let found = try snapshot.memberships(of: key.text, in: .sector, environment: environment)
            return .classification(Self.classification(found[...]))
        case .groups:
            let groups = try snapshot.groups(environment: environment)
            return .groups(key.text.isEmpty ? groups : groups.filter { $0.type.rawValue == key.text })
        }
    }

    /// A stock in several sectors counts in the first that knows its industry, or else in the first by name.
    private static func classification(
        _ found: ArraySlice<(group: String, membership: SymbolMembership)>
    ) -> StockClassification {
        guard let best = found.first(where: { $0.membership.industry != nil }) ?? found.first else { return .unknown }
        return StockClassification(
            sector: best.group, industry: best.membership.industry ?? StockClassification.unknown.industry)
    }

    /// Returns the members of the group with a type and name; an exact name is preferred to one that differs in case.
    private func members(_ type: GroupType, _ name: String) throws(StoreError) -> [GroupMember] {
        let headings = try snapshot.headings().filter { $0.type == type && $0.environment == environment }
        let folded = name.lowercased()
        let found =
            headings.first { $0.name == name }
            ?? headings.filter { $0.name.lowercased() == folded }.min { $0.name < $1.name }
        guard let found else { return [] }
        return try snapshot.members(of: found.id)
    }

    /// The answers that are likely to be asked for: groups, ETFs, sectors, themes, and what is known of each stock.
    func all() throws(StoreError) -> [(CacheKey, CacheValue)] {
        let groups = try snapshot.groups(environment: environment)
        var answers: [(CacheKey, CacheValue)] = [(CacheKey(.groups, ""), .groups(groups))]
        for type in GroupType.allCases {
            answers.append((CacheKey(.groups, type.rawValue), .groups(groups.filter { $0.type == type })))
        }
        for group in groups {
            switch group.type {
            case .etf:
                answers.append((CacheKey(.etfHoldings, group.name), .members(try snapshot.members(of: group.id))))
            case .theme:
                answers.append((CacheKey(.themeMembers, group.name), .members(try snapshot.members(of: group.id))))
            case .sector:
                let names = try snapshot.members(of: group.id).map(\.symbol)
                answers.append((CacheKey(.sectorStocks, group.name), .names(names)))
            case .universe, .segment, .custom: break
            }
        }
        let held = try snapshot.memberships(in: .etf, environment: environment)
        Self.forEachSymbol(held) { symbol, rows in
            let etfs = rows.map { StockETF(name: $0.group, weight: $0.membership.weight) }
            answers.append((CacheKey(.stockETFs, symbol), .etfs(etfs)))
        }
        let classified = try snapshot.memberships(in: .sector, environment: environment)
        Self.forEachSymbol(classified) { symbol, rows in
            answers.append((CacheKey(.classification, symbol), .classification(Self.classification(rows))))
        }
        return answers
    }

    private static func forEachSymbol(
        _ rows: [(group: String, membership: SymbolMembership)],
        _ body: (String, ArraySlice<(group: String, membership: SymbolMembership)>) -> Void
    ) {
        var start = 0
        while start < rows.count {
            let symbol = rows[start].membership.symbol
            var end = start + 1
            while end < rows.count, rows[end].membership.symbol == symbol { end += 1 }
            body(symbol, rows[start..<end])
            start = end
        }
    }
}
