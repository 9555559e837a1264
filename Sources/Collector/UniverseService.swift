import Dispatch
import Feed
import Glibc
public import Logging
import MarketData
public import ServiceLifecycle
public import Store
import Synchronization
public import Universe
public import Upstream

/// Keeps the local groups up to date and the connections subscribed to what they say.
///
/// It pulls from the database at an interval, notices when another process changes the mirror (`edgetick universe
/// import`), and reads the settings again on SIGHUP. Whatever changed, the cache is invalidated and each connection is
/// told just the difference. A pull that fails leaves the last good mirror in use; a key that can't be resolved any
/// more leaves a connection the symbols that it has.
public final class UniverseService: Service {
    /// What may change while it runs.
    public struct Settings: Sendable {
        /// Whose groups count.
        public var environment: String
        /// How long the cache's answers are good.
        public var cacheTimeToLive: Duration
        /// How often the mirror is pulled; `nil` = by hand.
        public var pullInterval: Duration?
        /// What names each connection's symbols.
        public var wishes: [CollectedConnection.Wish]

        /// Makes settings.
        public init(
            environment: String, cacheTimeToLive: Duration, pullInterval: Duration?, wishes: [CollectedConnection.Wish]
        ) {
            self.environment = environment
            self.cacheTimeToLive = cacheTimeToLive
            self.pullInterval = pullInterval
            self.wishes = wishes
        }
    }

    /// How often the file's change counter is looked at; a few microseconds each time.
    public static let lookInterval: Duration = .seconds(1)

    /// How long a pull waits after a failure that a person must mend; `edgetick universe pull` is noticed at once.
    public static let pauseForPeople: Duration = .seconds(600)

    /// Answers about universes from memory; what this service learns, it forgets and reads anew.
    public let cache: RelationshipCache
    private let mirror: UniverseMirror
    private let source: UniverseSource?
    private let reread: (@Sendable () throws -> Settings)?
    private let logger: Logger
    private let watchBell = Doorbell()
    private let pullBell = Doorbell()
    /// The file's change counter when the connections' symbols were looked up.
    private let seen: Int64?
    private let shared: Mutex<Shared>

    private struct Shared {
        var settings: Settings
        var connections: [CollectedConnection]
        var status = UniverseStatus()
        var wantsPull = false
        var wantsReread = false
        var hasNewInterval = false
    }

    /// A service over the mirror.
    ///
    /// - Parameters:
    ///   - source: where to pull from; `nil` when there is no database.
    ///   - reread: reads the settings anew, for SIGHUP; `nil` leaves the signal alone.
    public init(
        mirror: UniverseMirror, cache: RelationshipCache, source: UniverseSource?, settings: Settings,
        connections: [CollectedConnection], reread: (@Sendable () throws -> Settings)? = nil, logger: Logger
    ) {
        self.mirror = mirror
        self.cache = cache
        self.source = source
        self.reread = reread
        self.logger = logger
        seen = try? mirror.changeCounter()
        shared = Mutex(Shared(settings: settings, connections: connections))
    }

    /// How the universes stand, from memory.
    public var status: UniverseStatus { shared.withLock { $0.status } }

    /// Whose groups count now.
    public var environment: String { shared.withLock { $0.settings.environment } }

    /// The universe keys that name the connections' symbols now, by the connection's name.
    public var universeKeys: [String: String] {
        let wishes = shared.withLock { $0.connections.map(\.wish) }
        return Dictionary(wishes.compactMap { wish in wish.universeKey.map { (wish.name, $0) } }) { first, _ in first }
    }

    /// Whether there is a database to pull from.
    public var isPulling: Bool { source != nil }

    /// Pulls now instead of after the interval; does nothing without a database.
    public func pullNow() {
        shared.withLock { $0.wantsPull = true }
        pullBell.ring()
    }

    /// Reads the settings again, as SIGHUP does.
    public func rereadNow() {
        shared.withLock { $0.wantsReread = true }
        watchBell.ring()
    }

    /// Works until graceful shutdown. Never throws: a failure is told and tried again.
    public func run() async throws {
        let signal = hangUpSignal()
        defer { signal?.cancel() }
        await cancelWhenGracefulShutdown { await self.work() }
    }

    private func hangUpSignal() -> (any DispatchSourceSignal)? {
        guard reread != nil else { return nil }
        Glibc.signal(SIGHUP, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: .global(qos: .utility))
        source.setEventHandler { [weak self] in self?.rereadNow() }
        source.resume()
        return source
    }

    /// Looks for changes and pulls side by side, so that a database that hangs delays nothing.
    private func work() async {
        await warmUp()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.watch() }
            if let source { group.addTask { await self.pulls(from: source) } }
        }
    }

    private func watch() async {
        var counter = seen
        while !Task.isCancelled {
            if take(\.wantsReread), rereadSettings() {
                shared.withLock { $0.hasNewInterval = true }
                pullBell.ring()
            }
            lookForChanges(since: &counter)
            await watchBell.sleep(upTo: Self.lookInterval)
        }
    }

    private func pulls(from source: UniverseSource) async {
        var failures = RepeatedFailure<ContinuousClock.Instant>()
        var policy = SyncPolicy(interval: .zero)
        var next = interval == nil ? nil : ContinuousClock.now
        while !Task.isCancelled {
            if take(\.hasNewInterval) { next = interval.map { .now + $0 } }
            if take(\.wantsPull) || next.map({ $0 <= .now }) ?? false {
                let outcome = await pull(from: source, &failures)
                watchBell.ring()
                let pause = policy.wait(after: outcome, jitter: .random(in: 0...1))
                next = interval.map { interval in
                    switch outcome {
                    case .drained: .now + interval
                    case .failedForNow: .now + min(interval, pause)
                    case .paused: .now + min(interval, Self.pauseForPeople)
                    }
                }
            }
            await pullBell.sleep(upTo: next.map { max(.zero, $0 - .now) } ?? .seconds(3600))
        }
    }

    private var interval: Duration? { shared.withLock { $0.settings.pullInterval } }

    /// Answers whether something was asked for, and forgets it.
    private func take(_ wish: WritableKeyPath<Shared, Bool>) -> Bool {
        shared.withLock { shared in
            defer { shared[keyPath: wish] = false }
            return shared[keyPath: wish]
        }
    }

    private func warmUp() async {
        let keys = shared.withLock { $0.settings.wishes.compactMap(\.universeKey) }
        do {
            let count = try await cache.warmUp(universeKeys: keys)
            logger.debug("universes are in memory", metadata: ["answers": "\(count)"])
        } catch {
            logger.warning("the universes can't be read into memory yet", metadata: ["error": "\(error)"])
        }
        noteAge()
    }

    // MARK: - Pulling

    private func pull(from source: UniverseSource, _ failures: inout RepeatedFailure<ContinuousClock.Instant>) async
        -> SyncPolicy.Outcome
    {
        do {
            let snapshot = try await source.read()
            for remark in snapshot.remarks { logger.warning("universe pull: \(remark)") }
            let outcome = try mirror.replacePulled(with: snapshot.records, source: snapshot.source)
            if case .refused(let text) = outcome { throw RefusedPull(text: text) }
            shared.withLock { shared in
                shared.status.pulls += 1
                shared.status.lastPull = .now
                shared.status.failure = nil
            }
            if failures.ended() { logger.notice("the universe pull works again") }
            if case .replaced(let changes) = outcome { log(changes) }
            noteAge()
            return .drained
        } catch {
            return failed(error, &failures)
        }
    }

    private struct RefusedPull: Error, CustomStringConvertible {
        let text: String
        var description: String { "\(text); look at the database, or run edgetick universe pull --force" }
    }

    private func failed(_ error: any Error, _ failures: inout RepeatedFailure<ContinuousClock.Instant>)
        -> SyncPolicy.Outcome
    {
        if let error = error as? UpstreamError, error.reason == .cancelled { return .failedForNow }
        noteAge()
        let description = String(describing: error)
        let pulledAt = shared.withLock { shared in
            let since = shared.status.failure?.since ?? .now
            shared.status.failure = .init(description: description, since: since)
            return shared.status.mirrorPulledAt
        }
        if let occurrences = failures.occurred(description, now: .now) {
            logger.warning(
                "the universe pull failed; the local universes stay in use",
                metadata: [
                    "error": "\(description)", "occurrences": "\(occurrences)",
                    "age": "\(Self.age(since: pulledAt))",
                ])
        }
        let isRetryable = (error as? UpstreamError)?.isRetryable ?? (error as? StoreError)?.isRetryable ?? false
        return isRetryable ? .failedForNow : .paused
    }

    private func log(_ changes: PullChanges) {
        logger.notice(
            "universes pulled",
            metadata: [
                "new": "\(changes.added.count)", "gone": "\(changes.removed.count)",
                "changed": "\(changes.changed.count)", "settings": "\(changes.entries)",
            ])
        if !changes.shadowed.isEmpty {
            let names = changes.shadowed.prefix(5).map(\.name).joined(separator: ", ")
            logger.notice(
                "local universes hide groups of the database that have the same names",
                metadata: ["count": "\(changes.shadowed.count)", "such_as": "\(names)"])
        }
    }

    private func noteAge() {
        guard let note = try? mirror.pullNote() else { return }
        shared.withLock { $0.status.mirrorPulledAt = note.checkedAt }
    }

    private static func age(since milliseconds: Int64?) -> String {
        guard let milliseconds else { return "never pulled" }
        return UniverseAge.text(.seconds(Int64(time(nil)) - milliseconds / 1000))
    }

    // MARK: - Telling the connections

    private func lookForChanges(since counter: inout Int64?) {
        guard let now = try? mirror.changeCounter(), now != counter else { return }
        counter = now
        cache.invalidate(.all)
        noteAge()
        refresh(because: "the universes have changed")
    }

    /// Reads the settings again; answers whether that worked.
    private func rereadSettings() -> Bool {
        guard let reread else { return false }
        let new: Settings
        do {
            new = try reread()
        } catch {
            logger.error("the settings can't be read again; those in effect stay", metadata: ["error": "\(error)"])
            return false
        }
        cache.reconfigure(environment: new.environment, timeToLive: new.cacheTimeToLive)
        shared.withLock { shared in
            shared.settings = new
            for index in shared.connections.indices {
                let name = shared.connections[index].wish.name
                if let wish = new.wishes.first(where: { $0.name == name }) { shared.connections[index].wish = wish }
            }
        }
        let known = shared.withLock { $0.connections.map(\.wish.name) }
        let wanted = new.wishes.map(\.name)
        for name in wanted where !known.contains(name) {
            logger.warning("a new connection is used after a restart", metadata: ["connection": "\(name)"])
        }
        for name in known where !wanted.contains(name) {
            logger.warning("a connection is given up after a restart", metadata: ["connection": "\(name)"])
        }
        logger.notice("the settings were read again; those about universes are in effect, others after a restart")
        refresh(because: "the settings name other symbols")
        return true
    }

    private func refresh(because reason: Logger.Message) {
        let (connections, environment) = shared.withLock { shared in
            shared.status.refreshes += 1
            return (shared.connections, shared.settings.environment)
        }
        let resolver = UniverseResolver(mirror: mirror, environment: environment)
        for (index, connection) in connections.enumerated() {
            guard let (interest, remarks) = wanted(by: connection, resolver),
                let change = InterestChange(from: connection.interest, to: interest)
            else { continue }
            for remark in remarks where remark.level != .info {
                logger.warning("\(remark.text)", metadata: ["connection": "\(connection.wish.name)"])
            }
            shared.withLock { $0.connections[index].interest = interest }
            connection.setInterest(interest)
            logger.notice(
                reason,
                metadata: [
                    "connection": "\(connection.wish.name)", "added": "\(change.added)",
                    "removed": "\(change.removed)", "such_as": "\(change.sample)",
                ])
        }
    }

    /// What a connection's wish means now; `nil` when that is nothing, so that it keeps what it has.
    private func wanted(
        by connection: CollectedConnection, _ resolver: UniverseResolver
    ) -> (Interest, [SymbolSelection.Remark])? {
        let wish = connection.wish
        do throws(UniverseError) {
            // A default list that nobody chose must not take the place of symbols that were resolved before.
            let fallback: SymbolSelection.Fallback = wish.fallback == .defaultList ? .refusal : wish.fallback
            let selection = try SymbolSelection(universeKey: wish.universeKey, list: wish.symbols, fallback: fallback) {
                key throws(UniverseError) in try resolver.resolve(key)
            }
            switch selection.target {
            case .everything: return (.all, selection.remarks)
            case .symbols(let symbols): return (.symbols(symbols), selection.remarks)
            case .nothing: break
            }
            logger.warning(
                "the connection keeps the symbols that it has: nothing else is named",
                metadata: ["connection": "\(wish.name)"])
        } catch {
            logger.warning(
                "the connection keeps the symbols that it has",
                metadata: ["connection": "\(wish.name)", "error": "\(error)"])
        }
        return nil
    }
}
