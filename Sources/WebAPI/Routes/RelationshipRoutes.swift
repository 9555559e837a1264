import Collector
import Hummingbird
import MarketData
import Store
import Universe

/// The relationship cache's answers: what is known of stocks, ETFs, sectors and themes, and which connection has a symbol.
struct RelationshipRoutes: Sendable {
    let source: any CollectorSource
    let calls: BoundedCalls
    let actions: BoundedCalls

    var routes: [Route] {
        [
            Route(method: .get, path: "/api/stocks/{symbol}", access: .data, answer: stock),
            Route(method: .get, path: "/api/etfs/{symbol}", access: .data) { call in
                try await group(call, "symbol", .etf, members: "holdings")
            },
            Route(method: .get, path: "/api/sectors/{name}", access: .data) { call in
                try await group(call, "name", .sector, members: "stocks")
            },
            Route(method: .get, path: "/api/themes/{name}", access: .data) { call in
                try await group(call, "name", .theme, members: "members")
            },
            Route(method: .get, path: "/api/groups", access: .data, answer: groups),
            Route(method: .get, path: "/api/websocket/symbols/{symbol}", access: .data, answer: placement),
            Route(method: .post, path: "/api/universes/refresh", access: .guarded, answer: refresh),
        ]
    }

    @Sendable private func stock(_ call: Call) async throws -> Response {
        _ = try call.query()
        let symbol = try symbol(call)
        let source = source
        let stock = try await calls.run("the mirror") { () throws(CollectorProblem) in
            try await source.stock(symbol.description)
        }
        let places = source.placement(of: symbol)?.places ?? []
        return .json { json in
            json.field("symbol", symbol.description)
            json.field("is_known", stock.isKnown)
            json.field("sector", stock.classification.sector)
            json.field("industry", stock.classification.industry)
            json.array("etfs") { json in
                for etf in stock.etfs {
                    json.element { json in
                        json.field("name", etf.name)
                        json.field("weight", etf.weight)
                    }
                }
            }
            json.field("universes", strings: stock.groups.filter { $0.type == .universe }.map(\.name))
            json.field("themes", strings: stock.groups.filter { $0.type == .theme }.map(\.name))
            json.array("groups") { json in
                for group in stock.groups {
                    json.element { json in
                        json.field("name", group.name)
                        json.field("type", group.type.rawValue)
                        json.field("weight", group.weight)
                    }
                }
            }
            json.field("connections", strings: places.map(\.connection))
            json.field("nearest", strings: stock.isKnown || !places.isEmpty ? [] : source.symbols(near: symbol))
        }
    }

    private func group(
        _ call: Call, _ parameter: String, _ type: GroupType, members name: StaticString
    ) async throws -> Response {
        _ = try call.query()
        let wanted = call.parameter(parameter)
        guard !wanted.isEmpty, wanted.utf8.count <= 512 else {
            throw Problem.parameter(parameter, "must have 1 to 512 bytes")
        }
        let source = source
        let found = try await calls.run("the mirror") { () throws(CollectorProblem) in
            try await source.group(named: wanted, of: type)
        }
        return .json { json in
            found.group.write(to: &json)
            json.array(name) { json in
                for member in found.members {
                    json.element { json in
                        json.field("symbol", member.symbol)
                        json.field("weight", member.weight)
                    }
                }
            }
        }
    }

    @Sendable private func groups(_ call: Call) async throws -> Response {
        let text = try call.query("type").text("type")
        let type = text.flatMap { GroupType(rawValue: $0.uppercased()) }
        guard text == nil || type != nil else {
            throw Problem.parameter("type", "must be of: " + GroupType.allCases.map(\.rawValue).joined(separator: ", "))
        }
        let source = source
        let groups = try await calls.run("the mirror") { () throws(CollectorProblem) in
            try await source.groups(of: type)
        }
        return .json { json in
            json.field("count", groups.count)
            json.array("groups") { json in
                for group in groups { json.element { group.write(to: &$0) } }
            }
        }
    }

    @Sendable private func placement(_ call: Call) async throws -> Response {
        _ = try call.query()
        let symbol = try symbol(call)
        guard let placement = source.placement(of: symbol) else {
            var problem = Problem(.notFound, "No connection is to collect \(symbol).")
            problem.nearest = source.symbols(near: symbol)
            throw problem
        }
        return .json { json in
            json.field("symbol", symbol.description)
            json.field("is_confirmed", placement.places.contains(where: \.isConfirmed))
            json.array("connections") { json in
                for place in placement.places {
                    json.element { json in
                        json.field("id", place.connection)
                        json.field("name", place.name)
                        json.field("is_confirmed", place.isConfirmed)
                        json.field("is_refused", place.isRefused)
                    }
                }
            }
            json.array("reasons") { json in
                for reason in placement.reasons { json.element { Self.write(reason, to: &$0) } }
            }
        }
    }

    @Sendable private func refresh(_ call: Call) async throws -> Response {
        let query = try call.query("type", "key")
        let key = query.text("key")
        let kind = try query.text("type").map { text throws(Problem) in
            guard let kind = RelationshipKind(rawValue: text) else {
                throw Problem.parameter(
                    "type", "must be of: " + RelationshipKind.allCases.map(\.rawValue).joined(separator: ", "))
            }
            return kind
        }
        let scope: RelationshipCache.Scope
        switch (kind, key) {
        case (nil, nil): scope = .all
        case (let kind?, nil): scope = .kind(kind)
        case (let kind?, let key?): scope = .key(kind, key)
        case (nil, _?): throw Problem.parameter("key", "needs a type too")
        }
        let source = source
        let dropped = try await actions.run("the universes") { () throws(CollectorProblem) in
            try await source.refreshUniverses(scope)
        }
        return .json { json in
            json.field("type", kind?.rawValue)
            json.field("key", key)
            json.field("dropped_count", dropped)
        }
    }

    private func symbol(_ call: Call) throws(Problem) -> Symbol {
        guard let symbol = Symbol(spelled: call.parameter("symbol")) else {
            throw Problem.parameter("symbol", "is no symbol the feed could send")
        }
        return symbol
    }

    /// Each reason has all members, so that a program needs no cases.
    private static func write(_ reason: SymbolPlacement.Reason, to json: inout JSONText) {
        switch reason {
        case .assignment(let assignment):
            json.field("origin", assignment.wish.origin.rawValue)
            json.field("connection", assignment.wish.connection)
            StatusJSON.source(assignment.source, to: &json)
        case .single(let origin, let connection):
            json.field("origin", origin.rawValue)
            json.field("connection", connection)
            json.field("from", "subscription")
            json.field("key", String?.none)
        case .left(let name, let origin):
            json.field("origin", origin.rawValue)
            json.field("connection", name)
            json.field("from", "removed_connection")
            json.field("key", String?.none)
        }
    }
}
