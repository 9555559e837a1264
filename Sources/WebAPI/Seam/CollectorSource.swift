public import Collector
public import MarketData

/// What the API asks of the collector: the seam that the composition root fills.
///
/// ``snapshot()`` and ``tickers(of:)`` answer from memory and must not wait for a disk, the network or a lock that is
/// held while either is used. The others may wait; the API bounds how long and how many at once.
public protocol CollectorSource: Sendable {
    /// How everything stands now.
    func snapshot() -> CollectorSnapshot

    /// A connection's symbols; `nil` when there is no such connection.
    func tickers(of connection: String) -> ConnectionTickers?

    /// The newest events in the buffer's file, newest first; `nil` for all symbols.
    func recentEvents(symbol: Symbol?, limit: Int) async throws(CollectorProblem) -> FoundEvents

    /// The newest bars in a range, the newest version of each, oldest first.
    func bars(_ query: BarQuery) async throws(CollectorProblem) -> FoundBars

    /// The groups of the mirror.
    func universes() async throws(CollectorProblem) -> [UniverseSummary]

    /// What a universe key stands for; the problem is ``CollectorProblem/Kind/notFound`` when no part names a group.
    func universe(key: String) async throws(CollectorProblem) -> UniverseResolution

    /// The newest recorded gaps, newest first.
    func gaps(limit: Int) async throws(CollectorProblem) -> [RecordedGap]

    /// The newest rows that upstream refused, newest first.
    func deadLetters(limit: Int) async throws(CollectorProblem) -> [RefusedEvent]

    /// Asks the upload to start a pass now; returns without waiting for its end.
    func pushNow() async throws(CollectorProblem)

    /// Moves symbols between connections so that the load is even.
    func rebalance() async throws(CollectorProblem) -> [SymbolMove]

    /// Adds symbols; to the connection named, else routed. Kept until restart.
    func subscribe(_ symbols: [Symbol], connection: String?) async throws(CollectorProblem) -> SubscriptionChange

    /// Removes symbols; from the connection named, else from whichever has them. Kept until restart.
    func unsubscribe(_ symbols: [Symbol], connection: String?) async throws(CollectorProblem) -> SubscriptionChange

    /// Adds a connection. Kept until restart.
    func addConnection(id: String, _ request: ConnectionRequest) async throws(CollectorProblem)

    /// Removes a connection and answers the symbols that nobody brings any more. Kept until restart.
    func removeConnection(id: String) async throws(CollectorProblem) -> [Symbol]
}

/// Why the collector did not do what was asked.
public struct CollectorProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// What sort of problem it is; decides the HTTP status.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// What was named does not exist (404).
        case notFound = "not-found"
        /// The request makes no sense as it stands (422).
        case invalid
        /// The request does not fit the present state (409).
        case conflict
        /// The collector cannot do it now, or not in this set-up (503).
        case unavailable
        /// It was tried and failed (500).
        case failed
    }

    /// What sort of problem it is.
    public var kind: Kind
    /// What is wrong and what to do, in one line, without secrets.
    public var detail: String
    /// Names that exist and resemble one that does not, best first.
    public var nearest: [String]

    /// Makes a problem; see the properties for meaning.
    public init(_ kind: Kind, _ detail: String, nearest: [String] = []) {
        self.kind = kind
        self.detail = detail
        self.nearest = nearest
    }

    /// One line.
    public var description: String { detail }
}
