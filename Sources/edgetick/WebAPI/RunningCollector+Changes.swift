import Collector
import Feed
import MarketData

/// The changes that are possible at run time; ``Symbols`` decides about them.
extension RunningCollector {
    func subscribe(_ symbols: [Symbol], connection: String?) async throws(CollectorProblem) -> SubscriptionChange {
        try self.symbols.subscribe(symbols, to: connection)
    }

    func unsubscribe(_ symbols: [Symbol], connection: String?) async throws(CollectorProblem) -> SubscriptionChange {
        try self.symbols.unsubscribe(symbols, from: connection)
    }

    func rebalance() async throws(CollectorProblem) -> [SetMove] { try symbols.rebalance() }

    func addConnection(id: String, _ request: ConnectionRequest) async throws(CollectorProblem) {
        try await symbols.add(id, request)
    }

    func removeConnection(id: String) async throws(CollectorProblem) -> [Symbol] { try symbols.remove(id) }
}
