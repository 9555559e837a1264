public import Feed
import MarketData
public import Store
import Synchronization
import Universe

/// Takes the snapshots of a running collector: reads every part's own state from memory, and waits for nothing.
public final class CollectorProbe: Sendable {
    /// What must be remembered between two snapshots.
    private struct Watches {
        var commits = ProgressWatch()
        var uploads = ProgressWatch()
        var decoding = DecodeWatch()
    }

    /// No commit for so many seconds while events wait is a failure of the buffer.
    static let commitLimit = 5.0
    /// The writer counts as stuck from this many seconds on.
    static let writerLimit = 60.0

    private let collector: String
    private let version: String
    private let maximumBytes: Int64
    private let feedDelay: Double
    private let buffer: TickBuffer
    private let connections: ConnectionSet
    private let sync: SyncService?
    private let symbols: Symbols
    private let universes: UniverseService
    private let relay: (@Sendable () -> RelayState)?
    private let watches = Mutex(Watches())
    private let stopping = Atomic<Bool>(false)

    /// A probe of these parts.
    ///
    /// - Parameters:
    ///   - collector: The collector's name (`COLLECTOR_ID`).
    ///   - version: The program's version.
    ///   - maximumBytes: The cap of the buffer's file (`BUFFER_MAX_BYTES`).
    ///   - feedDelay: How late the feed's events are by its plan, in seconds.
    ///   - sync: `nil` where nothing is uploaded.
    ///   - relay: The relay's state, from memory; `nil` where there is no relay.
    public init(
        collector: String, version: String, maximumBytes: Int64, feedDelay: Double, buffer: TickBuffer,
        connections: ConnectionSet, sync: SyncService?, symbols: Symbols, universes: UniverseService,
        relay: (@Sendable () -> RelayState)? = nil
    ) {
        self.collector = collector
        self.version = version
        self.maximumBytes = maximumBytes
        self.feedDelay = feedDelay
        self.buffer = buffer
        self.connections = connections
        self.sync = sync
        self.symbols = symbols
        self.universes = universes
        self.relay = relay
    }

    /// Has the snapshots say that the collector shuts down.
    public func beginStopping() { stopping.store(true, ordering: .relaxed) }

    /// How everything stands now.
    public func snapshot() -> CollectorSnapshot {
        let statistics = buffer.statistics
        let status = sync?.status
        var snapshot = CollectorSnapshot(
            collector: collector, version: version, environment: universes.environment)
        let now = snapshot.instant
        snapshot.feedDelay = feedDelay
        snapshot.isStopping = stopping.load(ordering: .relaxed)
        let assignments = Dictionary(uniqueKeysWithValues: symbols.assignments.map { ($0.wish.connection, $0) })
        snapshot.placement = connections.snapshot
        snapshot.connections = snapshot.placement.members.map { member in
            ConnectionState(member, assignment: assignments[member.id], at: snapshot.time)
        }
        snapshot.buffer = statistics
        snapshot.maximumBytes = maximumBytes
        snapshot.sync = status
        snapshot.relay = relay?()
        snapshot.cache = symbols.cache.statistics
        if universes.isPulling { snapshot.mirror = universes.status }

        snapshot.decoding = watches.withLock { $0.decoding.troubles(snapshot.connections, now: now) }
        let (commitAge, uploadAge) = watches.withLock { watches in
            (
                watches.commits.age(
                    statistics.commits, isWaiting: statistics.queuedEvents > 0 && statistics.state == .writing,
                    now: now),
                watches.uploads.age(
                    Int64(status?.totals.settled ?? 0), isWaiting: status != nil && statistics.pending > 0, now: now)
            )
        }
        if commitAge >= Self.commitLimit, statistics.state == .writing {
            snapshot.buffer.state = .failing(
                message: "nothing became durable for \(Int(commitAge)) s while events wait: the disk does not answer; "
                    + "check it and the kernel's log")
        }
        snapshot.stalledFor = uploadAge
        snapshot.loops = [LoopProgress(name: "writer", age: commitAge, limit: Self.writerLimit)]
        return snapshot
    }
}
