import Collector
import HTTPTypes
import Store
import Wire

/// The groups of symbols, and the symbols of universe keys.
struct UniverseRoutes: Sendable {
    private static let key = Parameters.part("key", "A group, or several joined by colons", atMost: 512)

    let source: any CollectorSource
    let calls: BoundedCalls

    var routes: [Route] {
        [
            Route(
                .get, "/api/universes", .data, "universes", "The groups of the mirror, of every environment"
            ) { _ in
                Reply(GroupsJSON(try await calls.run("the mirror") { try await source.universes() }))
            },
            Route(
                .get, "/api/universes/{key}", .data, "universe", "What a universe key means",
                parameters: [Self.key]
            ) { call in
                let key = try call.value(of: Self.key)
                let found = try await calls.run("the mirror") { try await source.universe(key: key) }
                return Reply(ResolutionJSON(key: key, found))
            },
        ]
    }
}
