public import Collector
public import Feed
public import MarketData
public import Store
public import Universe

/// What the API asks of the collector: the seam that the composition root fills.
///
/// ``placement(of:)`` and ``symbols(near:)`` return from memory and must not wait for a disk, the network
/// or a lock that is held while either is used. The others may wait; the API bounds how long and how many at once.
public protocol CollectorSource: Sendable {
    /// The newest events in the buffer's file, newest first; `nil` for all symbols.
    func recentEvents(symbol: Symbol?, limit: Int) async throws(CollectorProblem) -> TickHistory.Answer<StoredEvent>

    /// The newest bars in a range, the newest version of each, oldest first.
    func bars(_ query: TickHistory.BarQuery) async throws(CollectorProblem) -> TickHistory.Answer<Bar>

    /// Which connections bring a symbol and why; `nil` when none is to collect it.
    func placement(of symbol: Symbol) -> SymbolPlacement?

    /// Symbols that are collected and resemble one that isn't, best first.
    func symbols(near symbol: Symbol) -> [String]

    /// What is known of a stock.
    func stock(_ symbol: String) async throws(CollectorProblem) -> StockRelations

    /// An ETF, sector or theme with its members; the problem is ``CollectorProblem/Kind/notFound`` when there is none.
    func group(named name: String, of type: GroupType) async throws(CollectorProblem) -> RelatedGroup

    /// The groups of a type, or of all types, of the environment in use.
    func groups(of type: GroupType?) async throws(CollectorProblem) -> [UniverseGroup]

    /// Forgets what the cache knows, has the connections follow, and returns how many answers were dropped.
    func refreshUniverses(_ scope: RelationshipCache.Scope) async throws(CollectorProblem) -> Int

    /// The groups of the mirror, of every environment.
    func universes() async throws(CollectorProblem) -> [UniverseGroup]

    /// What a universe key stands for; the problem is ``CollectorProblem/Kind/notFound`` when no part names a group.
    func universe(key: String) async throws(CollectorProblem) -> Resolution

    /// The newest recorded gaps that are in one of these states, and what became of them.
    func gaps(states: Set<GapState>, limit: Int) async throws(CollectorProblem) -> [GapRecord]

    /// The newest rows that upstream refused, newest first.
    func deadLetters(limit: Int) async throws(CollectorProblem) -> [DeadLetter]

    /// Asks the upload to start a pass now; returns without waiting for its end.
    func pushNow() async throws(CollectorProblem)

    /// Moves symbols between connections so that the load is even.
    func rebalance() async throws(CollectorProblem) -> [SetMove]

    /// Adds symbols; to the connection named, else routed. Kept until restart.
    func subscribe(_ symbols: [Symbol], connection: String?) async throws(CollectorProblem) -> SubscriptionChange

    /// Removes symbols; from the connection named, else from whichever has them. Kept until restart.
    func unsubscribe(_ symbols: [Symbol], connection: String?) async throws(CollectorProblem) -> SubscriptionChange

    /// Adds a connection. Kept until restart.
    func addConnection(id: String, _ request: ConnectionRequest) async throws(CollectorProblem)

    /// Removes a connection and answers the symbols that nobody brings any more. Kept until restart.
    func removeConnection(id: String) async throws(CollectorProblem) -> [Symbol]
}
