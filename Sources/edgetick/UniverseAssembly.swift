import Collector
import Feed
import Logging
import Store
import Synchronization
import Universe
import Upstream

extension CollectedConnection {
    /// A feed's connection; symbols that the HTTP API added or took away stay so.
    init(_ wish: Wish, _ interest: Interest, feed: FeedConnection) {
        let last = LastInterest(interest)
        self.init(
            wish: wish, interest: interest,
            setInterest: { new in
                let snapshot = feed.snapshot
                let current = snapshot.takesAll ? Interest.all : .symbols(snapshot.assigned)
                feed.setInterest(current.following(from: last.replace(by: new), to: new))
            })
    }

    /// What the settings and the mirror last named.
    private final class LastInterest: Sendable {
        private let interest: Mutex<Interest>
        init(_ interest: Interest) { self.interest = Mutex(interest) }

        func replace(by new: Interest) -> Interest {
            interest.withLock { interest in
                defer { interest = new }
                return interest
            }
        }
    }
}

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
