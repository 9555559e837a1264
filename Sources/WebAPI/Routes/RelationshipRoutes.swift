import Collector
import HTTPTypes
import MarketData
import Store
import Universe
import Wire

/// The content of the mirror and the relationship cache: universe keys, groups, stocks, ETFs, sectors and themes; and
/// the connection of a symbol.
struct RelationshipRoutes: Sendable {
    private static let universe = Parameters.part("key", "A group, or several joined by colons", atMost: 512)
    private static let symbol = Parameters.symbol("symbol", .path, "A ticker")
    private static let type = Parameters.word("type", "Only groups of this type", of: GroupType.self)
    private static let groupType = Parameter<GroupType>(
        name: "type", place: .path, meaning: "The group's type", schema: .words(GroupType.allCases.map(\.rawValue)),
        standard: nil, fault: "must be one of: " + GroupType.allCases.map(\.rawValue).joined(separator: ", "),
        read: { GroupType(rawValue: $0.uppercased()) })
    private static let groupName = Parameters.part("name", "The name", atMost: 512)
    private static let kind = Parameters.word(
        "type", "Only answers to this kind of question", of: RelationshipKind.self)
    private static let key = Parameters.text("key", "Only this answer; needs a type")

    let source: any CollectorSource
    let calls: BoundedCalls
    let actions: BoundedCalls

    var routes: [Route] {
        [
            Route(.get, "/api/universes", .data, "universes", "The groups of the mirror, of every environment") { _ in
                Reply(GroupsJSON(try await calls.run("the mirror") { try await source.universes() }))
            },
            Route(
                .get, "/api/universes/{key}", .data, "universe", "The symbols of a universe key",
                parameters: [Self.universe]
            ) { call in
                let key = try call.value(of: Self.universe)
                let found = try await calls.run("the mirror") { try await source.universe(key: key) }
                return Reply(ResolutionJSON(key: key, found))
            },
            Route(
                .get, "/api/stocks/{symbol}", .data, "stock",
                "A stock's sector, industry, ETFs and groups, and the connections that deliver it",
                parameters: [Self.symbol], answer: stock),
            group("/api/etfs/{symbol}", "etf", "An ETF's holdings", .etf, "symbol"),
            group("/api/sectors/{name}", "sector", "A sector's stocks", .sector, "name"),
            group("/api/themes/{name}", "theme", "A theme's members", .theme, "name"),
            Route(
                .get, "/api/groups", .data, "groups", "The groups of the environment in use, with their member counts",
                parameters: [Self.type]
            ) { call in
                let type = try call.value(of: Self.type)
                return Reply(GroupsJSON(try await calls.run("the mirror") { try await source.groups(of: type) }))
            },
            Route(
                .get, "/api/groups/{type}/{name}", .data, "group", "A group's members",
                parameters: [Self.groupType, Self.groupName]
            ) { call in
                try await members(of: call.value(of: Self.groupName), call.value(of: Self.groupType))
            },
            Route(
                .get, "/api/websocket/symbols/{symbol}", .data, "symbolPlacement",
                "The connections that deliver a symbol, and why it is collected", parameters: [Self.symbol],
                answer: placement),
            Route(
                .post, "/api/universes/refresh", .data, "refreshUniverses",
                "Clears the relationship cache, and has the connections follow the mirror",
                parameters: [Self.kind, Self.key], answer: refresh),
        ]
    }

    @Sendable private func stock(_ call: Call) async throws -> Reply<StockJSON> {
        let symbol = try call.value(of: Self.symbol)
        let stock = try await calls.run("the mirror") { try await source.stock(symbol.description) }
        let places = source.placement(of: symbol)?.places ?? []
        return Reply(
            StockJSON(
                symbol.description, stock, connections: places.map(\.connection),
                nearest: stock.isKnown || !places.isEmpty ? [] : source.symbols(near: symbol)))
    }

    private func group(
        _ path: String, _ name: String, _ summary: String, _ type: GroupType, _ parameter: String
    ) -> Route {
        let wanted = Parameters.part(parameter, "The name", atMost: 512)
        return Route(.get, path, .data, name, summary, parameters: [wanted]) { call in
            try await members(of: call.value(of: wanted), type)
        }
    }

    /// A group with its members and their sectors; both come from the cache.
    private func members(of name: String, _ type: GroupType) async throws -> Reply<GroupMembersJSON> {
        let (group, sectors) = try await calls.run("the mirror") {
            (try await source.group(named: name, of: type), try await source.sectors())
        }
        return Reply(GroupMembersJSON(group, sectors: sectors))
    }

    @Sendable private func placement(_ call: Call) async throws -> Reply<PlacementJSON> {
        let symbol = try call.value(of: Self.symbol)
        guard let placement = source.placement(of: symbol) else {
            throw Problem(
                .notFound, "\(symbol) is not assigned to any connection.", nearest: source.symbols(near: symbol))
        }
        return Reply(PlacementJSON(placement))
    }

    @Sendable private func refresh(_ call: Call) async throws -> Reply<RefreshJSON> {
        let (kind, key) = (try call.value(of: Self.kind), try call.value(of: Self.key))
        let scope: RelationshipCache.Scope
        switch (kind, key) {
        case (nil, nil): scope = .all
        case (let kind?, nil): scope = .kind(kind)
        case (let kind?, let key?): scope = .key(kind, key)
        case (nil, _?): throw Problem.parameter("key", "needs a type too")
        }
        let dropped = try await actions.run("the universes") { try await source.refreshUniverses(scope) }
        return Reply(RefreshJSON(type: kind, key: key, dropped: dropped))
    }
}
