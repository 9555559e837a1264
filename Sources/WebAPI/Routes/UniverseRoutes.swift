import Collector
import Hummingbird
import MarketData
import Store
import Universe

/// The groups that symbols are chosen by.
struct UniverseRoutes: Sendable {
    let source: any CollectorSource
    let calls: BoundedCalls

    var routes: [Route] {
        [
            Route(method: .get, path: "/api/universes", access: .data, answer: list),
            Route(method: .get, path: "/api/universes/{key}", access: .data, answer: show),
        ]
    }

    @Sendable private func list(_ call: Call) async throws -> Response {
        _ = try call.query()
        let source = source
        let groups = try await calls.run("the mirror") { () throws(CollectorProblem) in try await source.universes() }
        return .json { json in
            json.field("count", groups.count)
            json.array("universes") { json in
                for group in groups { json.element { group.write(to: &$0) } }
            }
        }
    }

    @Sendable private func show(_ call: Call) async throws -> Response {
        _ = try call.query()
        let key = call.parameter("key")
        guard !key.isEmpty, key.utf8.count <= 512 else { throw Problem.parameter("key", "must have 1 to 512 bytes") }
        let source = source
        let found = try await calls.run("the mirror") { () throws(CollectorProblem) in
            try await source.universe(key: key)
        }
        return .json { json in
            json.field("key", key)
            json.field("count", found.symbols.count)
            json.field("symbols", symbols: found.symbols)
            json.array("parts") { json in
                for part in found.parts {
                    json.element { json in
                        json.field("part", part.part)
                        json.field("group", part.group)
                        json.field("type", part.type.rawValue)
                        json.field("count", part.count)
                    }
                }
            }
            json.array("unknown") { json in
                for unknown in found.unknown {
                    json.element { json in
                        json.field("part", unknown.part)
                        json.field("nearest", strings: unknown.nearest)
                    }
                }
            }
            json.field("warnings", strings: found.warnings)
        }
    }
}

extension UniverseGroup {
    /// The group as every route has it.
    func write(to json: inout JSONText) {
        json.field("name", name)
        json.field("type", type.rawValue)
        json.field("description", description)
        json.field("environment", environment)
        json.field("member_count", memberCount)
        json.field("origin", origin.rawValue)
        json.field("updated_ms", updatedAt)
    }
}
