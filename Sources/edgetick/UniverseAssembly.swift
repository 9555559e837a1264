import Collector
import Feed
import Logging
import Store
import Universe
import Upstream

extension Settings {
    /// What happens when a connection's universe key can't be resolved and it has no list.
    private var symbolFallback: SymbolSelection.Fallback {
        switch (connections.isMulti, universe.fallback) {
        case (true, _): .nothing
        case (false, .default): .defaultList
        case (false, .error): .refusal
        }
    }

    /// What names a connection's symbols.
    private func wish(of connection: Connection) -> SymbolWish {
        SymbolWish(
            connection: connection.id, name: connection.name, universeKey: connection.universeKey,
            list: connection.symbols, fallback: symbolFallback)
    }

    /// What names each connection's symbols.
    var wishes: [SymbolWish] { feed.source == .none ? [] : connections.list.map(wish) }

    /// What names the symbols of the one connection that several give way to where none of them has any.
    var singleWish: SymbolWish? { connections.isMulti ? connections.single.map(wish) : nil }

    /// Whether several connections without symbols gave way to the one of SYMBOL_UNIVERSE_KEY.
    func gaveWay(_ plan: SymbolPlan) -> Bool { plan.wishes != wishes }

    /// The relationship cache before a mirror.
    func relationshipCache(_ mirror: UniverseMirror) -> RelationshipCache {
        RelationshipCache(
            mirror: mirror,
            options: .init(environment: universe.environment.rawValue, timeToLive: universe.cacheTTL))
    }

    /// The rules for changes of the connections while running.
    ///
    /// - Parameter url: Where connections that are added connect to.
    func symbolRules(url: String) -> Symbols.Rules {
        Symbols.Rules(maximum: connections.maximum, strategy: connections.routing) { name throws(FeedError) in
            try feedConfiguration(named: name, url: url)
        }
    }

    /// What may change of the universes while running; `wishes` are those of the connections that run.
    func universes(_ wishes: [SymbolWish]) -> UniverseService.Settings {
        UniverseService.Settings(
            environment: universe.environment.rawValue, cacheTimeToLive: universe.cacheTTL,
            pullInterval: universe.pullInterval, wishes: wishes)
    }
}
