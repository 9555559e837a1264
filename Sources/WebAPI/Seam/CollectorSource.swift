public import Collector
public import Feed
public import MarketData
public import Store
public import Universe

/// The API's view of the collector; the composition root implements it.
///
/// ``placement(of:)``, ``symbols(near:)`` and ``fleet()`` return from memory and must not wait for a disk, the network
/// or a lock that is held while either is used. The others may wait; the API bounds how long and how many at once.
public protocol CollectorSource: Sendable {
    /// The newest events in the buffer's file, newest first; of all symbols if `symbol` is `nil`.
    func recentEvents(symbol: Symbol?, limit: Int) async throws(CollectorProblem) -> TickHistory.Answer<StoredEvent>

    /// The newest bars in a range, each in its newest version, oldest first.
    func bars(_ query: TickHistory.BarQuery) async throws(CollectorProblem) -> TickHistory.Answer<Bar>

    /// The connections that collect a symbol, and why; `nil` if none is supposed to.
    func placement(of symbol: Symbol) -> SymbolPlacement?

    /// Collected symbols that resemble one that isn't collected, best first.
    func symbols(near symbol: Symbol) -> [String]

    /// The boxes that share the database, as last read; `nil` without an upstream. The call keeps them being read in
    /// the background for a while.
    func fleet() -> FleetBoard.View?

    /// What is known about a stock.
    func stock(_ symbol: String) async throws(CollectorProblem) -> StockRelations

    /// The sector of each stock that is in one.
    func sectors() async throws(CollectorProblem) -> [String: String]

    /// A group of any type with its members; throws ``CollectorProblem/Kind/notFound`` if there is none.
    func group(named name: String, of type: GroupType) async throws(CollectorProblem) -> RelatedGroup

    /// The groups of a type, or of all types, of the environment in use.
    func groups(of type: GroupType?) async throws(CollectorProblem) -> [UniverseGroup]

    /// Drops cached answers, lets the connections follow, and returns how many answers were dropped.
    func refreshUniverses(_ scope: RelationshipCache.Scope) async throws(CollectorProblem) -> Int

    /// The groups of the mirror, of every environment.
    func universes() async throws(CollectorProblem) -> [UniverseGroup]

    /// The symbols of a universe key; throws ``CollectorProblem/Kind/notFound`` if no part names a group.
    func universe(key: String) async throws(CollectorProblem) -> Resolution

    /// The newest recorded gaps in any of the given states, the oldest of them first.
    func gaps(states: Set<GapState>, limit: Int) async throws(CollectorProblem) -> [GapRecord]

    /// The coverage of the minute bars of some days; of every symbol known for those days if `symbols` is `nil`.
    func coverage(days: ClosedRange<TradingDay>, symbols: Set<Symbol>?) async throws(CollectorProblem) -> CoverageReport

    /// The newest rows that upstream refused, newest first.
    func deadLetters(limit: Int) async throws(CollectorProblem) -> [DeadLetter]

    /// The number of rows that upstream refused, by reason.
    func deadLetterGroups() async throws(CollectorProblem) -> [DeadLetterGroup]

    /// Puts dead letters back into the queue, which is then uploaded. If a named letter doesn't exist, throws
    /// ``CollectorProblem/Kind/notFound`` and changes nothing. If one of two databases fails after the other has done
    /// its part, returns that part and the failure.
    func retryDeadLetters(_ choice: DeadLetterChoice) async throws(CollectorProblem) -> DeadLetterRetry

    /// Removes dead letters from the file for good and returns them; a missing letter and a failure are reported as by
    /// ``retryDeadLetters(_:)``.
    func discardDeadLetters(_ choice: DeadLetterChoice) async throws(CollectorProblem) -> DeadLetterDiscard

    /// Asks the upload to start a pass now; returns without waiting for its end.
    func pushNow() async throws(CollectorProblem)

    /// Moves symbols between connections so that the load is even.
    func rebalance() async throws(CollectorProblem) -> [SetMove]

    /// Adds symbols to the named connection, or routes them if none is named. Lasts until restart.
    func subscribe(_ symbols: [Symbol], connection: String?) async throws(CollectorProblem) -> SubscriptionChange

    /// Removes symbols from the named connection, or from whichever has them. Lasts until restart.
    func unsubscribe(_ symbols: [Symbol], connection: String?) async throws(CollectorProblem) -> SubscriptionChange

    /// Adds a connection. Lasts until restart.
    func addConnection(id: String, _ request: ConnectionRequest) async throws(CollectorProblem)

    /// Removes a connection and returns the symbols that no connection collects any more. Lasts until restart.
    func removeConnection(id: String) async throws(CollectorProblem) -> [Symbol]
}
