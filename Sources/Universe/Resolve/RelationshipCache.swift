import Dispatch
import Glibc
import MarketData
public import Store
import Synchronization

/// Answers questions about universes, ETFs, sectors and themes from memory. It reads the mirror file, never the
/// network.
///
/// An answer is fresh for the time to live. After that it is still served while it is loaded again in the background,
/// and for as long as the file can't be read. However many callers ask for the same missing answer, the file is read
/// once. A hit copies nothing and hardly ever waits for another reader's lock.
public final class RelationshipCache: Sendable {
    /// How the cache behaves.
    public struct Options: Sendable {
        /// The environment whose groups count, such as `DEFAULT` or `PROD`.
        public var environment: String
        /// How long an answer is fresh.
        var timeToLive: Duration
        /// The most answers held; those that were not read lately go first.
        var maximumEntries: Int
        /// About the most memory that answers may take, in bytes.
        public var maximumBytes: Int

        /// Makes options.
        public init(
            environment: String, timeToLive: Duration = .seconds(3600), maximumEntries: Int = 32_768,
            maximumBytes: Int = 16 << 20
        ) {
            self.environment = environment
            self.timeToLive = timeToLive
            self.maximumEntries = maximumEntries
            self.maximumBytes = maximumBytes
        }
    }

    /// What ``invalidate(_:)`` drops.
    public enum Scope: Sendable, Equatable {
        /// Everything.
        case all
        /// All answers to one kind of question.
        case kind(RelationshipKind)
        /// One answer, and that about all of its kind: a universe key, or the name of an ETF, stock, sector, theme or
        /// group type.
        case key(RelationshipKind, String)
    }

    /// The pause before a stale answer that could not be loaded is tried again, in nanoseconds.
    private static let reloadPause: Int64 = 5_000_000_000

    private struct Flight {
        var waiting: [CheckedContinuation<Result<CacheValue, LoadFailure>, Never>] = []
        let id: Int
    }

    private struct State {
        var environment: String
        var timeToLive: Int64
        var flights: [CacheKey: Flight] = [:]
        var flightCount = 0
        /// Grows with every invalidation.
        var generation = 0
        var misses = 0
        var loads = 0
        var failures = 0
    }

    private let mirror: UniverseMirror
    private let table: CacheTable
    private let clock: @Sendable () -> Int64
    private let queue = DispatchQueue(label: "edgetick.universe")
    private let state: Mutex<State>

    /// Makes a cache in front of `mirror`; it is empty until it is asked or warmed up.
    public convenience init(mirror: UniverseMirror, options: Options) {
        self.init(mirror: mirror, options: options, clock: { MonotonicTime.coarse().sinceBoot.nanoseconds })
    }

    /// - Parameter clock: Returns nanoseconds that never go back.
    init(mirror: UniverseMirror, options: Options, clock: @escaping @Sendable () -> Int64) {
        self.mirror = mirror
        self.clock = clock
        table = CacheTable(maximumEntries: options.maximumEntries, maximumBytes: options.maximumBytes)
        state = Mutex(
            State(environment: options.environment, timeToLive: min(options.timeToLive.nanoseconds, .max / 4)))
    }

    // MARK: - Answers

    /// Returns a universe key's symbols, groups, unknown parts and warnings.
    ///
    /// - Throws: as ``UniverseResolver/resolve(_:)-(String)``.
    public func resolution(of key: String) async throws(UniverseError) -> Resolution {
        do throws(LoadFailure) {
            guard case .resolution(let resolution) = try await answer(CacheKey(.universe, key)) else {
                return try direct(key)
            }
            return resolution
        } catch {
            switch error {
            case .universe(let error): throw error
            case .store(let error): throw UniverseResolver.unreadable(key, error)
            }
        }
    }

    /// Returns what each key means, or why it can't be resolved.
    public func resolutions(of keys: [String]) async -> [String: Result<Resolution, UniverseError>] {
        var found: [String: Result<Resolution, UniverseError>] = [:]
        for key in keys {
            do {
                found[key] = .success(try await resolution(of: key))
            } catch {
                found[key] = .failure(error)
            }
        }
        return found
    }

    /// Returns an ETF's holdings, sorted by symbol; empty when there is no such ETF.
    public func holdings(ofETF name: String) async throws(StoreError) -> [GroupMember] {
        guard case .members(let members) = try await stored(CacheKey(.etfHoldings, name)) else { return [] }
        return members
    }

    /// Returns the ETFs that hold a stock, sorted by name.
    func etfs(holding symbol: String) async throws(StoreError) -> [StockETF] {
        guard case .etfs(let etfs) = try await stored(CacheKey(.stockETFs, symbol)) else { return [] }
        return etfs
    }

    /// Returns the groups other than ETFs that hold a stock, by type and name.
    public func groups(holding symbol: String) async throws(StoreError) -> [StockGroup] {
        guard case .stockGroups(let groups) = try await stored(CacheKey(.stockGroups, symbol)) else { return [] }
        return groups
    }

    /// Returns a stock's sector and industry; ``StockClassification/unknown`` for one that is in no sector.
    func classification(of symbol: String) async throws(StoreError) -> StockClassification {
        guard case .classification(let found) = try await stored(CacheKey(.classification, symbol)) else {
            return .unknown
        }
        return found
    }

    /// Returns the sector of each stock that is in one, as ``classification(of:)`` has it.
    public func sectors() async throws(StoreError) -> [String: String] {
        guard case .sectors(let sectors) = try await stored(CacheKey(.classification, "")) else { return [:] }
        return sectors
    }

    /// Returns a sector's stocks, sorted; empty when there is no such sector.
    public func stocks(inSector name: String) async throws(StoreError) -> [String] {
        guard case .names(let names) = try await stored(CacheKey(.sectorStocks, name)) else { return [] }
        return names
    }

    /// Returns a theme's members, sorted by symbol; empty when there is no such theme.
    public func members(ofTheme name: String) async throws(StoreError) -> [GroupMember] {
        guard case .members(let members) = try await stored(CacheKey(.themeMembers, name)) else { return [] }
        return members
    }

    /// Returns the groups of a type, or of all types, by name, with their member counts.
    public func groups(of type: GroupType? = nil) async throws(StoreError) -> [UniverseGroup] {
        guard case .groups(let groups) = try await stored(CacheKey(.groups, type?.rawValue ?? "")) else { return [] }
        return groups
    }

    // MARK: - Upkeep

    /// Drops answers. A caller that asks after this gets what the file says now, even when a load was under way.
    ///
    /// - Returns: How many answers were dropped.
    @discardableResult
    public func invalidate(_ scope: Scope) -> Int {
        let isGone: (CacheKey) -> Bool =
            switch scope {
            case .all: { _ in true }
            case .kind(let kind): { $0.kind == kind }
            case .key(let kind, let text): { $0.kind == kind && ($0.text == text || $0.text.isEmpty) }
            }
        return state.withLock { state in
            state.generation += 1
            let orphans = state.flights.keys.filter(isGone)
            for key in orphans { orphan(key, &state) }
            return table.remove(where: isGone)
        }
    }

    /// Uses another environment and time to live from now on; drops all answers when the environment changes.
    public func reconfigure(environment: String, timeToLive: Duration) {
        let isOther = state.withLock { state in
            state.timeToLive = min(timeToLive.nanoseconds, .max / 4)
            defer { state.environment = environment }
            return state.environment != environment
        }
        if isOther { invalidate(.all) }
    }

    /// Loads what is likely to be asked for, in one snapshot of the file: all ETFs, sectors, themes and stocks, and
    /// the groups by type.
    ///
    /// - Returns: How many answers were loaded.
    @discardableResult
    public func warmUp() async throws(StoreError) -> Int {
        let (generation, environment) = state.withLock { ($0.generation, $0.environment) }
        let answers = try await queue.waiting { [mirror] () throws(StoreError) in
            try mirror.withSnapshot { snapshot in
                try RelationshipLoader(snapshot: snapshot, environment: environment).all()
            }
        }
        return state.withLock { state in
            state.loads += 1
            guard state.generation == generation else { return 0 }
            let staleAt = clock() + state.timeToLive
            table.insert(answers.map { CacheEntry(key: $0.0, value: $0.1, staleAt: staleAt) })
            return answers.count
        }
    }

    /// What the cache has done and holds.
    public var statistics: CacheStatistics {
        var statistics = CacheStatistics()
        state.withLock { state in
            statistics.misses = state.misses
            statistics.loads = state.loads
            statistics.failures = state.failures
        }
        table.fill(&statistics)
        return statistics
    }

    // MARK: - Inside

    private func hit(_ key: CacheKey) -> CacheValue? {
        guard let entry = table.find(key) else { return nil }
        let now = clock()
        if now >= entry.staleAt, entry.claimsReload(at: now, pause: Self.reloadPause) { reload(key) }
        return entry.value
    }

    private func answer(_ key: CacheKey) async throws(LoadFailure) -> CacheValue {
        if let value = hit(key) { return value }
        let result = await withCheckedContinuation { continuation in
            let (flight, arrived): (Int?, CacheValue?) = state.withLock { state in
                if state.flights[key] != nil {
                    state.misses += 1
                    state.flights[key]?.waiting.append(continuation)
                    return (nil, nil)
                }
                // A load may have finished since the table was asked.
                if let entry = table.find(key) { return (nil, entry.value) }
                state.misses += 1
                return (begin(key, &state, waiting: [continuation]), nil)
            }
            if let flight { load(key, flight) }
            if let arrived { continuation.resume(returning: .success(arrived)) }
        }
        return try result.get()
    }

    private func stored(_ key: CacheKey) async throws(StoreError) -> CacheValue {
        do throws(LoadFailure) {
            return try await answer(key)
        } catch {
            switch error {
            case .store(let error): throw error
            case .universe(let error): throw StoreError(.invalid, operation: "read", underlying: error.description)
            }
        }
    }

    private func direct(_ key: String) throws(LoadFailure) -> Resolution {
        do throws(UniverseError) {
            return try UniverseResolver(mirror: mirror, environment: state.withLock { $0.environment }).resolve(key)
        } catch {
            throw .universe(error)
        }
    }

    private func reload(_ key: CacheKey) {
        let flight: Int? = state.withLock { state in
            state.flights[key] == nil ? begin(key, &state, waiting: []) : nil
        }
        if let flight { load(key, flight) }
    }

    private func begin(
        _ key: CacheKey, _ state: inout State,
        waiting: [CheckedContinuation<Result<CacheValue, LoadFailure>, Never>]
    ) -> Int {
        state.flightCount += 1
        state.flights[key] = Flight(waiting: waiting, id: state.flightCount)
        return state.flightCount
    }

    /// Abandons a load that began before an invalidation; those who wait for it wait for a new one.
    private func orphan(_ key: CacheKey, _ state: inout State) {
        guard let old = state.flights.removeValue(forKey: key), !old.waiting.isEmpty else { return }
        let flight = begin(key, &state, waiting: old.waiting)
        load(key, flight)
    }

    private func load(_ key: CacheKey, _ flight: Int) {
        queue.async { [self] in
            // An invalidation has begun another flight since then.
            let environment: String? = state.withLock { state in
                guard state.flights[key]?.id == flight else { return nil }
                state.loads += 1
                return state.environment
            }
            guard let environment else { return }
            let result = read(key, environment)
            let waiting = state.withLock { state -> [CheckedContinuation<Result<CacheValue, LoadFailure>, Never>] in
                guard state.flights[key]?.id == flight else { return [] }
                switch result {
                case .success(let value):
                    table.insert([CacheEntry(key: key, value: value, staleAt: clock() + state.timeToLive)])
                case .failure(let failure):
                    state.failures += 1
                    // What no longer exists must not be served any longer; a file that can't be read proves nothing.
                    if failure.isAboutTheKey { table.remove { $0 == key } }
                }
                return state.flights.removeValue(forKey: key)?.waiting ?? []
            }
            for continuation in waiting { continuation.resume(returning: result) }
        }
    }

    private func read(_ key: CacheKey, _ environment: String) -> Result<CacheValue, LoadFailure> {
        do throws(StoreError) {
            return try mirror.withSnapshot { snapshot in
                Result { () throws(LoadFailure) in
                    try RelationshipLoader(snapshot: snapshot, environment: environment).load(key)
                }
            }
        } catch {
            return .failure(.store(error))
        }
    }

}

extension LoadFailure {
    /// Whether the file was read and has no answer for the key.
    fileprivate var isAboutTheKey: Bool {
        guard case .universe(let error) = self else { return false }
        if case .mirror = error.reason { return false }
        return true
    }
}
