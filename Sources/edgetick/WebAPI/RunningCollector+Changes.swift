import Collector
import Feed
import MarketData
import Synchronization
import Universe
import WebAPI

/// What may be changed while running.
extension RunningCollector {
    func pushNow() async throws(CollectorProblem) {
        guard let sync else {
            throw CollectorProblem(.conflict, "There is no upstream to push to: DATABASE_URI is not set.")
        }
        sync.pushNow()
    }

    func subscribe(_ symbols: [Symbol], connection: String?) async throws(CollectorProblem) -> SubscriptionChange {
        try changes.withLock { _ throws(CollectorProblem) in
            let members = try named(connection)
            if let all = members.first(where: \.feed.takesAll) {
                throw CollectorProblem(.conflict, "\(all.id) (\(all.feed.name)) subscribes to every symbol already.")
            }
            let held = Set(
                symbols.filter { symbol in
                    let places = connections.connections(of: symbol)
                    return connection.map(places.contains) ?? !places.isEmpty
                })
            let wanted = symbols.filter { !held.contains($0) }
            var changed = try asking { () throws(FeedError) in
                try connections.subscribe(wanted, to: connection, waiting: false)
            }
            let homeless = changed.removeValue(forKey: "") ?? []
            guard homeless.isEmpty || !changed.isEmpty else {
                throw CollectorProblem(.conflict, "No connection has room for more symbols.")
            }
            return SubscriptionChange(changed: changed, unchanged: symbols.filter(held.contains))
        }
    }

    func unsubscribe(_ symbols: [Symbol], connection: String?) async throws(CollectorProblem) -> SubscriptionChange {
        try changes.withLock { _ throws(CollectorProblem) in
            let members = try named(connection)
            if let all = members.first(where: \.feed.takesAll) {
                throw CollectorProblem(
                    .conflict,
                    "\(all.id) (\(all.feed.name)) subscribes to every symbol; single ones can't be taken away.")
            }
            let leaving = Set(symbols)
            let left = connections.snapshot.members.contains { member in
                member.feed.takesAll || member.feed.assigned.contains { !leaving.contains($0) }
            }
            guard left else {
                throw CollectorProblem(
                    .conflict, "No symbol would be left to collect; leave one, or stop the collector.")
            }
            let changed = try asking { () throws(FeedError) in
                try connections.unsubscribe(symbols, from: connection)
            }
            let gone = Set(changed.values.flatMap { $0 })
            return SubscriptionChange(changed: changed, unchanged: symbols.filter { !gone.contains($0) })
        }
    }

    func rebalance() async throws(CollectorProblem) -> [SymbolMove] {
        guard connections.snapshot.members.count > 1 else {
            throw CollectorProblem(
                .conflict,
                "There is one connection, so no symbol can move; USE_MULTI_CONNECTION=true gives up to three.")
        }
        switch settings.connections.routing {
        case .manual, .loadBalanced: break
        case .roundRobin, .priority:
            throw CollectorProblem(
                .conflict,
                "WEBSOCKET_ROUTING_STRATEGY=\(settings.connections.routing.rawValue) says where a symbol belongs; "
                    + "load-balanced and manual let symbols move.")
        }
        return connections.rebalance().map { SymbolMove(symbol: $0.symbol, from: $0.from, to: $0.to) }
    }

    func addConnection(id: String, _ request: ConnectionRequest) async throws(CollectorProblem) {
        try changes.withLock { _ throws(CollectorProblem) in
            let members = connections.snapshot.members
            guard !members.contains(where: { $0.id == id }) else {
                throw CollectorProblem(.conflict, "\(id) exists already.")
            }
            guard members.count < settings.connections.maximum else {
                throw CollectorProblem(
                    .conflict,
                    "There are \(members.count) connections, as many as WEBSOCKET_CONNECTIONS_MAX allows.")
            }
            let name = request.name ?? id
            guard CollectorName.isName(name), !members.contains(where: { $0.feed.name == name }) else {
                throw CollectorProblem(
                    .invalid, "The name is taken, or is not up to \(CollectorName.maximumLength) letters and digits.")
            }
            let symbols = try symbols(of: request)
            let priority = request.priority ?? members.count + 1
            try asking { () throws(FeedError) in
                try connections.add(
                    SetMember(
                        id: id, configuration: try settings.feedConfiguration(named: name, url: url),
                        interest: .symbols(symbols), priority: priority))
            }
            probe.note(universeKey: request.universeKey, ofConnection: id)
        }
    }

    func removeConnection(id: String) async throws(CollectorProblem) -> [Symbol] {
        try changes.withLock { _ throws(CollectorProblem) in
            _ = try named(id)
            guard connections.snapshot.members.count > 1 else {
                throw CollectorProblem(.conflict, "\(id) is the last connection; stop the collector instead.")
            }
            return try asking { () throws(FeedError) in try connections.remove(id) }
        }
    }

    private func symbols(of request: ConnectionRequest) throws(CollectorProblem) -> [Symbol] {
        guard let key = request.universeKey else { return request.symbols }
        let resolver = UniverseResolver(mirror: mirror, environment: settings.universe.environment.rawValue)
        do throws(UniverseError) {
            return try resolver.resolve(key).symbols
        } catch {
            throw CollectorProblem(error.isRetryable ? .unavailable : .notFound, error.description)
        }
    }

    private func asking<Value>(_ body: () throws(FeedError) -> Value) throws(CollectorProblem) -> Value {
        do { return try body() } catch { throw CollectorProblem(.conflict, error.message) }
    }

    /// The connection named, or all.
    private func named(_ id: String?) throws(CollectorProblem) -> [SetSnapshot.Member] {
        let members = connections.snapshot.members
        guard let id else { return members }
        guard let found = members.first(where: { $0.id == id }) else {
            throw CollectorProblem(.notFound, "There is no connection \"\(id)\".", nearest: members.map(\.id))
        }
        return [found]
    }
}
