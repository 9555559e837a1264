import Dispatch
import Glibc
public import MarketData
public import Store
import Synchronization

/// Answers questions about universes, ETFs, sectors and themes from memory. It reads the mirror file, never the
/// network.
///
/// An answer is fresh for the time to live. After that it is still served while it is loaded again in the background,
/// and for as long as the file can't be read. However many callers ask for the same missing answer, the file is read
/// once. A hit copies nothing and hardly ever waits for another reader's lock.
public final class RelationshipCache: Sendable {
    /// How long an answer is fresh unless something else is asked for.
    public static let timeToLive = Duration.seconds(3600)

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

    private typealias Waiter = CheckedContinuation<CacheAnswer, Never>

    private struct Flight {
        var waiting: [Waiter]
        let id: Int
    }

    private struct State {
        var environment: String
        var timeToLive: Int64
        var flights: [CacheKey: Flight] = [:]
        var flightCount = 0
        /// Grows with every invalidation.
        var generation = 0
        var counts = CacheStatistics()
    }

    private let mirror: UniverseMirror
    private let table: CacheTable
    private let clock: @Sendable () -> Int64
    private let queue = DispatchQueue(label: "edgetick.universe")
    private let state: Mutex<State>

    /// Makes a cache in front of `mirror`; it is empty until it is asked or warmed up.
    ///
    /// - Parameters:
    ///   - environment: The environment whose groups count, such as `DEFAULT` or `PROD`.
    ///   - timeToLive: How long an answer is fresh.
    public convenience init(
        mirror: UniverseMirror, environment: String, timeToLive: Duration = RelationshipCache.timeToLive
    ) {
        self.init(
            mirror: mirror, environment: environment, timeToLive: timeToLive,
            clock: { MonotonicTime.coarse().sinceBoot.nanoseconds })
    }

    /// - Parameters:
    ///   - maximumEntries: The maximum number of answers; those that were not read lately are dropped first.
    ///   - maximumBytes: About how much memory the answers may take, in bytes.
    ///   - clock: Returns nanoseconds that never go back.
    init(
        mirror: UniverseMirror, environment: String, timeToLive: Duration, maximumEntries: Int = 32_768,
        maximumBytes: Int = 16 << 20, clock: @escaping @Sendable () -> Int64
    ) {
        self.mirror = mirror
        self.clock = clock
        table = CacheTable(maximumEntries: maximumEntries, maximumBytes: maximumBytes)
        state = Mutex(State(environment: environment, timeToLive: min(timeToLive.nanoseconds, .max / 4)))
    }

    // MARK: - Answers

    /// Returns a universe key's symbols, groups, unknown parts and warnings.
    ///
    /// - Throws: ``UniverseError`` when the key has no name in it, names no group, or brings no symbol, and when the
    ///   mirror can't be read. A success always has at least one symbol.
    public func resolution(of key: String) async throws(UniverseError) -> Resolution {
        guard case .resolution(let resolution) = try await answer(CacheKey(.universe, key)) else {
            preconditionFailure("the answer to a universe key is its resolution")
        }
        return resolution
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

    /// Returns the members of an ETF, a sector or a theme, as `kind` says, by symbol; empty when there is none of that
    /// name. A sector's have no weights.
    func members(_ kind: RelationshipKind, of name: String) async throws(StoreError) -> [GroupMember] {
        guard case .members(let members) = try await stored(CacheKey(kind, name)) else { return [] }
        return members
    }

    /// Returns the ETFs that hold a stock, sorted by name.
    func etfs(holding symbol: String) async throws(StoreError) -> [StockETF] {
        guard case .etfs(let etfs) = try await stored(CacheKey(.stockETFs, symbol)) else { return [] }
        return etfs
    }

    /// Returns the groups other than ETFs that hold a stock, by type and name.
    func groups(holding symbol: String) async throws(StoreError) -> [StockGroup] {
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
            for key in state.flights.keys.filter(isGone) {
                // A load that began before is abandoned; those who wait for it wait for a new one.
                let waiting = state.flights.removeValue(forKey: key)?.waiting ?? []
                if !waiting.isEmpty { load(key, for: waiting, &state) }
            }
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
            try mirror.withSnapshot { try RelationshipLoader(snapshot: $0, environment: environment).all() }
        }
        return state.withLock { state in
            state.counts.loads += 1
            guard state.generation == generation else { return 0 }
            let staleAt = clock() + state.timeToLive
            table.insert(answers.map { CacheEntry(key: $0.0, value: $0.1, staleAt: staleAt) })
            return answers.count
        }
    }

    /// What the cache has done and holds.
    public var statistics: CacheStatistics {
        var statistics = state.withLock { $0.counts }
        table.fill(&statistics)
        return statistics
    }

    // MARK: - Inside

    private func hit(_ key: CacheKey) -> CacheValue? {
        guard let entry = table.find(key) else { return nil }
        let now = clock()
        if now >= entry.staleAt, entry.claimsReload(at: now, pause: Self.reloadPause) {
            state.withLock { state in
                if state.flights[key] == nil { load(key, for: [], &state) }
            }
        }
        return entry.value
    }

    private func answer(_ key: CacheKey) async throws(UniverseError) -> CacheValue {
        if let value = hit(key) { return value }
        let answer: CacheAnswer = await withCheckedContinuation { continuation in
            let arrived: CacheValue? = state.withLock { state in
                if state.flights[key] != nil {
                    state.flights[key]?.waiting.append(continuation)
                } else if let entry = table.find(key) {
                    // A load has finished since the table was asked.
                    return entry.value
                } else {
                    load(key, for: [continuation], &state)
                }
                state.counts.misses += 1
                return nil
            }
            if let arrived { continuation.resume(returning: .success(arrived)) }
        }
        return try answer.get()
    }

    private func stored(_ key: CacheKey) async throws(StoreError) -> CacheValue {
        do throws(UniverseError) {
            return try await answer(key)
        } catch {
            if case .mirror(let error) = error.reason { throw error }
            throw StoreError(.invalid, operation: "read", underlying: error.description)
        }
    }

    private func load(_ key: CacheKey, for waiting: [Waiter], _ state: inout State) {
        state.flightCount += 1
        state.flights[key] = Flight(waiting: waiting, id: state.flightCount)
        load(key, state.flightCount)
    }

    private func load(_ key: CacheKey, _ flight: Int) {
        queue.async { [self] in
            // An invalidation has begun another flight since then.
            let environment: String? = state.withLock { state in
                guard state.flights[key]?.id == flight else { return nil }
                state.counts.loads += 1
                return state.environment
            }
            guard let environment else { return }
            let result = read(key, environment)
            let waiting = state.withLock { state -> [Waiter] in
                guard state.flights[key]?.id == flight else { return [] }
                switch result {
                case .success(let value):
                    table.insert([CacheEntry(key: key, value: value, staleAt: clock() + state.timeToLive)])
                case .failure(let error):
                    state.counts.failures += 1
                    // What no longer exists must not be served any longer; a file that can't be read proves nothing.
                    if case .mirror = error.reason { break }
                    table.remove { $0 == key }
                }
                return state.flights.removeValue(forKey: key)?.waiting ?? []
            }
            for continuation in waiting { continuation.resume(returning: result) }
        }
    }

    private func read(_ key: CacheKey, _ environment: String) -> CacheAnswer {
        do throws(StoreError) {
            return try mirror.withSnapshot { try RelationshipLoader(snapshot: $0, environment: environment).load(key) }
        } catch {
            return .failure(UniverseResolver.unreadable(key.text, error))
        }
    }
}
