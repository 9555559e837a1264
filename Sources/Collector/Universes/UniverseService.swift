public import Logging
import MarketData
public import ServiceLifecycle
public import Store
import Synchronization
public import Universe
public import Upstream

/// Keeps the local groups up to date, and has the connections' symbols follow them.
///
/// It pulls from the database at an interval, notices when another process changes the mirror (`edgetick universe
/// import`), and reads the settings again on SIGHUP. After any change, the cache is invalidated and ``Symbols`` decides
/// again. If a pull fails, the last good mirror stays in use.
public final class UniverseService: Service {
    /// The settings that may change while the service runs.
    public struct Settings: Sendable {
        /// The environment whose groups are used.
        public var environment: String
        /// How long the cache's answers stay valid.
        var cacheTimeToLive: Duration
        /// How often the mirror is pulled; `nil` pulls only by hand.
        var pullInterval: Duration?
        /// The wish that names each connection's symbols.
        var wishes: [SymbolWish]

        /// Makes settings.
        public init(environment: String, cacheTimeToLive: Duration, pullInterval: Duration?, wishes: [SymbolWish]) {
            self.environment = environment
            self.cacheTimeToLive = cacheTimeToLive
            self.pullInterval = pullInterval
            self.wishes = wishes
        }
    }

    /// How often the file's change counter is read, which takes a few microseconds.
    static let lookInterval: Duration = .seconds(1)

    /// How long to wait after a pull that failed for a reason a person must fix; `edgetick universe pull` is noticed at
    /// once.
    static let pauseForPeople: Duration = .seconds(600)

    private let symbols: Symbols
    private var cache: RelationshipCache { symbols.cache }
    private let mirror: UniverseMirror
    private let source: UniverseSource?
    private let reread: (@Sendable () throws -> Settings)?
    private let giveBackMemory: @Sendable () -> Void
    private let logger: Logger
    private let watchBell = Doorbell()
    private let pullBell = Doorbell()
    private let seen: Int64?
    private let shared: Mutex<Shared>

    private typealias Failures = LogThrottle<String, ContinuousClock.Instant>

    private struct Shared {
        var settings: Settings
        var status = UniverseStatus()
        var wantsReread = false
        var wantsFollowing = false
    }

    /// Makes a service for the mirror.
    ///
    /// - Parameters:
    ///   - seen: The mirror's change counter before the symbols were resolved; a change since then is followed.
    ///   - symbols: The symbols that follow the changes.
    ///   - source: Where to pull from; `nil` when there is no database.
    ///   - reread: Reads the settings again, for ``rereadNow()``.
    ///   - giveBackMemory: Called after a pull or a change, which needs much more memory than its result.
    public init(
        mirror: UniverseMirror, seen: Int64?, symbols: Symbols, source: UniverseSource?, settings: Settings,
        reread: (@Sendable () throws -> Settings)? = nil, giveBackMemory: @escaping @Sendable () -> Void = {},
        logger: Logger
    ) {
        self.mirror = mirror
        self.seen = seen
        self.symbols = symbols
        self.source = source
        self.reread = reread
        self.giveBackMemory = giveBackMemory
        self.logger = logger
        shared = Mutex(Shared(settings: settings))
    }

    var status: UniverseStatus { shared.withLock { $0.status } }

    /// The environment whose groups are used now.
    public var environment: String { shared.withLock { $0.settings.environment } }

    var isPulling: Bool { source != nil }

    /// Has the settings read again.
    public func rereadNow() {
        shared.withLock { $0.wantsReread = true }
        watchBell.ring()
    }

    /// Drops the cache's answers and has the connections' symbols follow the file; returns how many answers it dropped.
    @discardableResult
    public func invalidate(_ scope: RelationshipCache.Scope) -> Int {
        let dropped = cache.invalidate(scope)
        shared.withLock { $0.wantsFollowing = true }
        watchBell.ring()
        return dropped
    }

    /// Runs until graceful shutdown. Never throws: a failure is logged and retried.
    public func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            await warmUp()
            // At the same time, so that a database that hangs delays nothing.
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.watch() }
                if let source { group.addTask { await self.pulls(from: source) } }
            }
        }
    }

    private func watch() async {
        var counter = seen
        var failures = Failures()
        while !Task.isCancelled {
            if take(\.wantsReread), await rereadSettings() { pullBell.ring() }
            await lookForChanges(since: &counter, &failures)
            await watchBell.sleep(upTo: Self.lookInterval)
        }
    }

    private func pulls(from source: UniverseSource) async {
        var failures = Failures()
        var told: [String] = []
        var policy = SyncPolicy(interval: .zero)
        var known = interval
        var next = known == nil ? nil : ContinuousClock.now
        while !Task.isCancelled {
            if interval != known {
                known = interval
                next = known.map { interval in
                    let due = ContinuousClock.now + interval
                    return min(next ?? due, due)
                }
                // Pulls are by hand now, so the failure would never end; the mirror's age is shown anyway.
                if known == nil { shared.withLock { $0.status.failure = nil } }
            }
            if let due = next, due <= .now {
                let outcome = await pull(from: source, &failures, &told)
                giveBackMemory()
                watchBell.ring()
                let pause = policy.wait(after: outcome, jitter: .random(in: 0...1))
                next = known.map { interval in
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

    /// Returns whether a request was pending, and clears it.
    private func take(_ wish: WritableKeyPath<Shared, Bool>) -> Bool {
        shared.withLock { shared in
            defer { shared[keyPath: wish] = false }
            return shared[keyPath: wish]
        }
    }

    private func warmUp() async {
        do {
            let count = try await cache.warmUp()
            logger.debug("universes are in memory", metadata: ["answers": "\(count)"])
        } catch {
            logger.warning("the universes can't be read into memory yet", metadata: ["error": "\(error)"])
        }
        noteAge()
    }

    // MARK: - Pulling

    /// - Parameter told: the remarks of the last pull.
    private func pull(
        from source: UniverseSource, _ failures: inout Failures, _ told: inout [String]
    ) async -> SyncPolicy.Outcome {
        do {
            let (snapshot, outcome) = try await mirror.pull { try await source.pull() }
            if snapshot.remarks != told { log(snapshot.remarks) }
            told = snapshot.remarks
            if case .refused(let text) = outcome {
                let advice = "look at the database, or run edgetick universe pull --force"
                return failed("\(text); \(advice)", isRetryable: false, &failures)
            }
            shared.withLock { shared in
                shared.status.pulls += 1
                shared.status.failure = nil
            }
            if failures.ended("pull") { logger.notice("the universe pull works again") }
            if case .replaced(let changes) = outcome { log(changes) }
            noteAge()
            return .drained
        } catch let error as UpstreamError where error.reason == .cancelled {
            return .failedForNow
        } catch {
            let isRetryable = (error as? UpstreamError)?.isRetryable ?? (error as? StoreError)?.isRetryable ?? false
            return failed(String(describing: error), isRetryable: isRetryable, &failures)
        }
    }

    private func failed(_ description: String, isRetryable: Bool, _ failures: inout Failures) -> SyncPolicy.Outcome {
        noteAge()
        let pulledAt = shared.withLock { shared in
            shared.status.failure = .init(description: description, after: shared.status.failure)
            return shared.status.mirrorPulledAt
        }
        if let occurrences = failures.occurred("pull", description, now: .now) {
            let age = pulledAt.map { Duration.milliseconds(WallClock.milliseconds() - $0).spoken }
            logger.warning(
                "the universe pull failed; the mirror stays in use",
                metadata: [
                    "error": "\(description)", "occurrences": "\(occurrences)", "age": "\(age ?? "never pulled")",
                ])
        }
        return isRetryable ? .failedForNow : .paused
    }

    /// Logs a few of a pull's remarks: there may be one for each row.
    private func log(_ remarks: [String]) {
        for remark in remarks.prefix(3) { logger.warning("universe pull: \(remark)") }
        guard remarks.count > 3 else { return }
        logger.warning(
            "universe pull: more remarks were left out; edgetick universe pull prints all of them",
            metadata: ["more": "\(remarks.count - 3)"])
    }

    private func log(_ changes: PullChanges) {
        if let warning = changes.warning { logger.error("\(warning)") }
        logger.notice(
            "universes pulled",
            metadata: [
                "new": "\(changes.added.count)", "gone": "\(changes.removed.count)",
                "changed": "\(changes.changed.count)", "settings": "\(changes.entries)",
            ])
        if !changes.shadowed.isEmpty {
            logger.notice(
                "local groups hide groups of the same names in the database; to use those of the database, run edgetick universe give-back",
                metadata: [
                    "count": "\(changes.shadowed.count)",
                    "such_as": "\(DisplayText.list(changes.shadowed.map(\.name)))",
                ])
        }
    }

    /// Notes when any process last pulled. If that was since the last look, a failure from before is over.
    private func noteAge() {
        guard let note = try? mirror.withSnapshot({ try $0.pullNote() }) else { return }
        shared.withLock { shared in
            guard shared.status.mirrorPulledAt != note.checkedAt else { return }
            shared.status.mirrorPulledAt = note.checkedAt
            shared.status.failure = nil
        }
    }

    // MARK: - Following

    private func lookForChanges(since counter: inout Int64?, _ failures: inout Failures) async {
        let isAsked = take(\.wantsFollowing)
        // A pull by hand that finds nothing new doesn't move the counter.
        if shared.withLock({ $0.status.failure != nil }) { noteAge() }
        let now = readCounter(&failures)
        if let now, now != counter {
            counter = now
            cache.invalidate(.all)
            noteAge()
            await symbols.follow(because: "the universes have changed")
            giveBackMemory()
        } else if isAsked || now != nil && symbols.isBehind {
            // Keys that could not be read when the counter moved are due until they are read, without another change.
            await symbols.follow(because: "the universes were read again")
        }
    }

    private func readCounter(_ failures: inout Failures) -> Int64? {
        do throws(StoreError) {
            let counter = try mirror.changeCounter()
            shared.withLock { $0.status.unreadable = nil }
            if failures.ended("look") { logger.notice("the mirror can be read again") }
            return counter
        } catch {
            let description = String(describing: error)
            shared.withLock { $0.status.unreadable = .init(description: description, after: $0.status.unreadable) }
            if let occurrences = failures.occurred("look", description, now: .now) {
                logger.warning(
                    "the mirror can't be read; the symbols stay as they are",
                    metadata: ["error": "\(description)", "occurrences": "\(occurrences)"])
            }
            return nil
        }
    }

    /// Reads the settings again; returns whether that worked.
    private func rereadSettings() async -> Bool {
        guard let reread else { return false }
        let new: Settings
        do {
            new = try reread()
        } catch {
            logger.error(
                "the settings can't be read again; the current ones stay in effect", metadata: ["error": "\(error)"])
            return false
        }
        cache.reconfigure(environment: new.environment, timeToLive: new.cacheTimeToLive)
        let isOtherEnvironment = environment != new.environment
        shared.withLock { $0.settings = new }
        symbols.adopt(new.wishes, isOtherEnvironment: isOtherEnvironment)
        logger.notice(
            "the settings were read again; those about universes and the relay's keys are in effect, others after a restart"
        )
        await symbols.follow(because: "the settings name other symbols")
        return true
    }
}
