import Collector
import Logging
import Store
import Universe
import Upstream

extension Settings {
    /// What happens when a connection's universe key can't be resolved and it has no list.
    var symbolFallback: SymbolSelection.Fallback {
        switch (connections.isMulti, universe.fallback) {
        case (true, _): .nothing
        case (false, .default): .defaultList
        case (false, .error): .refusal
        }
    }

    /// What names a connection's symbols.
    func wish(of connection: Connection) -> CollectedConnection.Wish {
        CollectedConnection.Wish(
            name: connection.name, universeKey: connection.universeKey, symbols: connection.symbols,
            fallback: symbolFallback)
    }

    /// What the universe service needs of the settings.
    var universes: UniverseService.Settings {
        UniverseService.Settings(
            environment: universe.environment.rawValue, cacheTimeToLive: universe.cacheTTL,
            pullInterval: universe.pullInterval, wishes: connections.list.map(wish))
    }

    /// The service that keeps the mirror up to date and `connections` subscribed to what it says.
    ///
    /// - Parameter reread: Reads the settings anew when SIGHUP comes; `nil` leaves the signal alone.
    func universeService(
        _ mirror: UniverseMirror, _ upstream: UpstreamConfiguration?, _ connections: [CollectedConnection],
        reread: (@Sendable () throws -> Settings)?
    ) -> UniverseService {
        var again: (@Sendable () throws -> UniverseService.Settings)?
        if let reread { again = { try reread().universes } }
        return UniverseService(
            mirror: mirror,
            cache: RelationshipCache(
                mirror: mirror,
                options: .init(environment: universe.environment.rawValue, timeToLive: universe.cacheTTL)),
            source: upstream.map { UniverseSource(configuration: $0) }, settings: universes, connections: connections,
            reread: again, logger: Logger(label: "universes"))
    }
}
