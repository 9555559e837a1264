import Collector
import Feed
import Foundation
import Logging
import MarketData
import ServiceLifecycle
import Store
import Synchronization
import Universe
import WebAPI
import WebAPISupport

/// A collector whose snapshot can be made to block, as if a lock were held over a hanging disk, or to come late.
final class HangingCollector: SampledSource {
    private enum Delivery { case prompt, keepNext, kept }

    private let inner: StagedCollector
    private let gate = NSLock()
    private let delivery = Mutex(Delivery.prompt)

    init(_ inner: StagedCollector) {
        self.inner = inner
    }

    func hang() { gate.lock() }
    func resume() { gate.unlock() }

    /// The next snapshot is taken at once, but returned only after ``deliver()``; later ones are not held back.
    func keepNext() { delivery.withLock { $0 = .keepNext } }
    var isKeeping: Bool { delivery.withLock { $0 == .kept } }
    func deliver() { delivery.withLock { $0 = .prompt } }

    func snapshot() -> CollectorSnapshot {
        let snapshot = gate.withLock { inner.snapshot() }
        let isKept = delivery.withLock { delivery in
            guard delivery == .keepNext else { return false }
            delivery = .kept
            return true
        }
        while isKept, isKeeping { Thread.sleep(forTimeInterval: 0.001) }
        return snapshot
    }

    func fleet() -> FleetBoard.View? { inner.fleet() }
    func placement(of symbol: Symbol) -> SymbolPlacement? { inner.placement(of: symbol) }

    func symbols(near symbol: Symbol) -> [String] { inner.symbols(near: symbol) }

    func stock(_ symbol: String) async throws(CollectorProblem) -> StockRelations { try await inner.stock(symbol) }

    func sectors() async throws(CollectorProblem) -> [String: String] { try await inner.sectors() }

    func group(named name: String, of type: GroupType) async throws(CollectorProblem) -> RelatedGroup {
        try await inner.group(named: name, of: type)
    }

    func groups(of type: GroupType?) async throws(CollectorProblem) -> [UniverseGroup] {
        try await inner.groups(of: type)
    }

    func refreshUniverses(_ scope: RelationshipCache.Scope) async throws(CollectorProblem) -> Int {
        try await inner.refreshUniverses(scope)
    }

    func recentEvents(
        symbol: Symbol?, limit: Int
    ) async throws(CollectorProblem) -> TickHistory.Answer<StoredEvent> {
        try await inner.recentEvents(symbol: symbol, limit: limit)
    }

    func bars(_ query: TickHistory.BarQuery) async throws(CollectorProblem) -> TickHistory.Answer<Bar> {
        try await inner.bars(query)
    }

    func universes() async throws(CollectorProblem) -> [UniverseGroup] { try await inner.universes() }

    func universe(key: String) async throws(CollectorProblem) -> Resolution {
        try await inner.universe(key: key)
    }

    func gaps(states: Set<GapState>, limit: Int) async throws(CollectorProblem) -> [GapRecord] {
        try await inner.gaps(states: states, limit: limit)
    }

    func deadLetterGroups() async throws(CollectorProblem) -> [DeadLetterGroup] {
        try await inner.deadLetterGroups()
    }

    func retryDeadLetters(_ choice: DeadLetterChoice) async throws(CollectorProblem) -> DeadLetterRetry {
        try await inner.retryDeadLetters(choice)
    }

    func discardDeadLetters(_ choice: DeadLetterChoice) async throws(CollectorProblem) -> DeadLetterDiscard {
        try await inner.discardDeadLetters(choice)
    }

    func coverage(
        days: ClosedRange<TradingDay>, symbols: Set<Symbol>?
    ) async throws(CollectorProblem) -> CoverageReport {
        try await inner.coverage(days: days, symbols: symbols)
    }

    func deadLetters(limit: Int) async throws(CollectorProblem) -> [DeadLetter] {
        try await inner.deadLetters(limit: limit)
    }

    func pushNow() async throws(CollectorProblem) { try await inner.pushNow() }

    func rebalance() async throws(CollectorProblem) -> [SetMove] { try await inner.rebalance() }

    func subscribe(
        _ symbols: [Symbol], connection: String?
    ) async throws(CollectorProblem) -> SubscriptionChange {
        try await inner.subscribe(symbols, connection: connection)
    }

    func unsubscribe(
        _ symbols: [Symbol], connection: String?
    ) async throws(CollectorProblem) -> SubscriptionChange {
        try await inner.unsubscribe(symbols, connection: connection)
    }

    func addConnection(id: String, _ request: ConnectionRequest) async throws(CollectorProblem) {
        try await inner.addConnection(id: id, request)
    }

    func removeConnection(id: String) async throws(CollectorProblem) -> [Symbol] {
        try await inner.removeConnection(id: id)
    }
}
