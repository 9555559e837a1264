import Collector
import Dispatch
import Feed
import MarketData
import Store
import Universe
import Upstream
import WebAPI

/// The running collector as the HTTP API sees it: immediate answers come from memory, the rest from read-only
/// connections to the files.
struct RunningCollector: CollectorSource {
    /// How long dead letters may wait for their turn; a little less than the API waits for it.
    static let letterPatience: Duration = .seconds(18)

    let buffer: TickBuffer
    let mirror: UniverseMirror
    let uploads: [SyncService]
    let symbols: Symbols
    let universeService: UniverseService
    let fleetBoard: FleetBoard?
    /// The database, for what the file alone can't answer; a query takes no longer than the API waits. `nil` without
    /// one.
    let upstream: UpstreamReader?
    let letterDesk: DeadLetterDesk
    private let files = DispatchQueue(label: "EdgeTick.web-files", attributes: .concurrent)

    private var history: TickHistory { TickHistory(directory: buffer.directory) }

    func fleet() -> FleetBoard.View? { fleetBoard?.look() }

    func pushNow() async throws(CollectorProblem) { for upload in uploads { upload.pushNow() } }

    /// Reads a file on a thread that may block; the API bounds how many do at once.
    private func reading<Value: Sendable>(
        _ body: @escaping @Sendable () throws(StoreError) -> Value
    ) async throws(CollectorProblem) -> Value {
        do { return try await files.waiting(for: body) } catch { throw CollectorProblem(error) }
    }
}

/// What is read from the files of the buffer and the mirror.
extension RunningCollector {
    /// When a query stops reading; a little less than the API waits for it.
    private static let readingTime: Duration = .milliseconds(2500)

    /// A pace that ends the reading after a time.
    private static func pace(within limit: Duration = Self.readingTime) -> TickHistory.Pace {
        let end = ContinuousClock.now + limit
        return { _, _ in ContinuousClock.now < end }
    }

    func recentEvents(symbol: Symbol?, limit: Int) async throws(CollectorProblem) -> TickHistory.Answer<StoredEvent> {
        try await reading { [history] () throws(StoreError) in
            try history.newest(symbol: symbol, limit: limit, pace: Self.pace())
        }
    }

    func bars(_ query: TickHistory.BarQuery) async throws(CollectorProblem) -> TickHistory.Answer<Bar> {
        try await reading { [history] () throws(StoreError) in try history.bars(query, pace: Self.pace()) }
    }

    func gaps(states: Set<GapState>, limit: Int) async throws(CollectorProblem) -> [GapRecord] {
        try await reading { [directory = buffer.directory] () throws(StoreError) in
            try GapLog.read(directory: directory, states: states, limit: limit)
        }
    }

    /// Also asks the database, for about as many days as time allows.
    func coverage(
        days: ClosedRange<TradingDay>, symbols: Set<Symbol>?
    ) async throws(CollectorProblem) -> CoverageReport {
        let directory = buffer.directory
        let collected = symbols == nil ? Set(self.symbols.collected ?? []) : []
        var evidence = try await reading { () throws(StoreError) in
            try CoverageEvidence(
                directory: directory, days: days, collected: collected, pace: Self.pace(within: Self.readingTime / 2))
        }
        if let upstream {
            let begun = ContinuousClock.now
            await evidence.add(from: upstream, symbols: symbols) { done, _ in
                CoverageEvidence.days(after: done, in: begun.duration(to: .now), of: Self.readingTime / 2)
            }
        }
        return try await reading { [evidence] () throws(StoreError) in
            evidence.report(symbols: symbols, now: WallClock.milliseconds())
        }
    }

    func deadLetters(limit: Int) async throws(CollectorProblem) -> [DeadLetter] {
        try await reading { [history] () throws(StoreError) in try history.deadLetters(limit: limit) }
    }

    func deadLetterGroups() async throws(CollectorProblem) -> [DeadLetterGroup] {
        try await reading { [history] () throws(StoreError) in try history.deadLetterGroups() }
    }

    func retryDeadLetters(_ choice: DeadLetterChoice) async throws(CollectorProblem) -> DeadLetterRetry {
        guard !uploads.isEmpty else {
            throw CollectorProblem(.conflict, "There is no database to send them to: DATABASE_URI is not set.")
        }
        do { return try await letterDesk.retry(choice) } catch { throw Self.problem(error) }
    }

    func discardDeadLetters(_ choice: DeadLetterChoice) async throws(CollectorProblem) -> DeadLetterDiscard {
        do { return try await letterDesk.discard(choice) } catch { throw Self.problem(error) }
    }

    private static func problem(_ error: any Error) -> CollectorProblem {
        switch error {
        case let error as StoreError: CollectorProblem(error)
        case let error as DeadLettersMissing: CollectorProblem(.notFound, "\(error) any more; nothing was changed")
        default: CollectorProblem(.unavailable, "Nothing was changed: \(error)")
        }
    }

    func universes() async throws(CollectorProblem) -> [UniverseGroup] {
        try await reading { [mirror] () throws(StoreError) in try mirror.groups(environment: nil) }
    }
}

/// What comes from the relationship cache, and where a symbol is placed.
extension RunningCollector {
    func placement(of symbol: Symbol) -> SymbolPlacement? { symbols.placement(of: symbol) }

    func symbols(near symbol: Symbol) -> [String] { symbols.symbols(near: symbol) }

    func universe(key: String) async throws(CollectorProblem) -> Resolution {
        do { return try await symbols.cache.resolution(of: key) } catch { throw CollectorProblem(error) }
    }

    func stock(_ symbol: String) async throws(CollectorProblem) -> StockRelations {
        do { return try await symbols.cache.relations(of: symbol) } catch { throw CollectorProblem(error) }
    }

    func sectors() async throws(CollectorProblem) -> [String: String] {
        do { return try await symbols.cache.sectors() } catch { throw CollectorProblem(error) }
    }

    func group(named name: String, of type: GroupType) async throws(CollectorProblem) -> RelatedGroup {
        let found: RelatedGroup?
        do { found = try await symbols.cache.group(named: name, of: type) } catch { throw CollectorProblem(error) }
        if var found {
            switch type {
            case .etf, .sector, .theme: break
            case .universe, .segment, .custom:
                // The cache resolves these types by key, as a whole; it doesn't list their members.
                let (mirror, id) = (mirror, found.group.id)
                found.members = try await reading { () throws(StoreError) in
                    try mirror.withSnapshot { try $0.members(of: id) }
                }
            }
            return found
        }
        let names = try await groups(of: type).map(\.name)
        throw CollectorProblem(
            .notFound, "There is no \(type.rawValue) of this name in environment \(universeService.environment).",
            nearest: NearestNames.nearest(to: name, among: names))
    }

    func groups(of type: GroupType?) async throws(CollectorProblem) -> [UniverseGroup] {
        do { return try await symbols.cache.groups(of: type) } catch { throw CollectorProblem(error) }
    }

    func refreshUniverses(_ scope: RelationshipCache.Scope) async throws(CollectorProblem) -> Int {
        universeService.invalidate(scope)
    }
}

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

extension CollectorProblem {
    fileprivate init(_ error: StoreError) {
        self.init(error.isRetryable || error.reason == .missing ? .unavailable : .failed, "\(error)")
    }
}
