public import Collector
public import Feed
public import MarketData
public import Store
public import Universe

/// What the API asks of the collector: the seam that the composition root fills.
///
/// ``placement(of:)``, ``symbols(near:)`` and ``fleet()`` return from memory and must not wait for a disk, the network
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

    /// The boxes that share the database, as they were last read; `nil` where there is no upstream. Has them read in the
    /// background from now on.
    func fleet() -> FleetBoard.View?

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

    /// What a universe key means; the problem is ``CollectorProblem/Kind/notFound`` when no part names a group.
    func universe(key: String) async throws(CollectorProblem) -> Resolution

    /// The newest recorded gaps that are in one of these states, and what became of them.
    func gaps(states: Set<GapState>, limit: Int) async throws(CollectorProblem) -> [GapRecord]

    /// What is known of the minute bars of some days; of all symbols that are known of then where `symbols` is `nil`.
    func coverage(
        days: ClosedRange<TradingDay>, symbols: Set<Symbol>?
    ) async throws(CollectorProblem) -> CoverageReport

    /// The newest rows that upstream refused, newest first.
    func deadLetters(limit: Int) async throws(CollectorProblem) -> [DeadLetter]

    /// How many rows upstream refused for which reasons.
    func deadLetterGroups() async throws(CollectorProblem) -> [DeadLetterGroup]

    /// Puts dead letters back into the queue, which is then uploaded; the problem is
    /// ``CollectorProblem/Kind/notFound`` when a letter named is not there, and nothing is changed then.
    func retryDeadLetters(_ choice: DeadLetterChoice) async throws(CollectorProblem) -> DeadLetterRetry

    /// Takes dead letters out of the file for good and returns them; as above for letters that are not there.
    func discardDeadLetters(_ choice: DeadLetterChoice) async throws(CollectorProblem) -> [DeadLetter]

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

    /// Removes a connection and returns the symbols that nobody brings any more. Kept until restart.
    func removeConnection(id: String) async throws(CollectorProblem) -> [Symbol]
}
