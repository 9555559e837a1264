public import Feed
import MarketData
public import Store
import Synchronization
import Universe
import Upstream

/// Takes the snapshots of a running collector: reads every part's own state from memory, and waits for nothing.
public final class CollectorProbe: Sendable {
    /// What must be remembered between two snapshots.
    private struct Watches {
        var commits = ProgressWatch()
        var uploads: [UpstreamRole: ProgressWatch] = [:]
        var decoding = DecodeWatch()
    }

    /// How many seconds without a commit, while events wait, count as a failure of the buffer.
    static let commitLimit = 5.0
    /// The writer counts as stuck from this many seconds on.
    static let writerLimit = 60.0

    private let collector: String
    private let version: String
    private let maximumBytes: Int64
    private let feedDelay: Double
    private let buffer: TickBuffer
    private let connections: ConnectionSet
    private let uploads: [SyncService]
    private let symbols: Symbols
    private let universes: UniverseService
    private let relay: (@Sendable () -> RelayState)?
    private let backfill: @Sendable () -> BackfillState
    private let reconcile: (@Sendable () -> ReconcileState)?
    private let reconcileProblem: String?
    private let fleet: FleetBoard?
    private let watches = Mutex(Watches())
    private let stopping = Atomic<Bool>(false)

    /// A probe of these parts.
    ///
    /// - Parameters:
    ///   - collector: The collector's name (`COLLECTOR_ID`).
    ///   - version: The program's version.
    ///   - maximumBytes: The cap of the buffer's file (`BUFFER_MAX_BYTES`).
    ///   - feedDelay: How late the feed's events are under its plan, in seconds.
    ///   - uploads: One for each database; none when nothing is uploaded.
    ///   - relay: Returns the relay's state, from memory; `nil` when there is no relay.
    ///   - backfill: Returns the state of the filling of gaps, from memory.
    ///   - reconcile: Returns the state of the daily comparison, from memory; `nil` when there is none.
    ///   - reconcileProblem: Why there is none although RECONCILE_AT is set; `nil` otherwise.
    ///   - fleet: The fleet's board; `nil` when there is no upstream.
    public init(
        collector: String, version: String, maximumBytes: Int64, feedDelay: Double, buffer: TickBuffer,
        connections: ConnectionSet, uploads: [SyncService], symbols: Symbols, universes: UniverseService,
        relay: (@Sendable () -> RelayState)? = nil, backfill: @escaping @Sendable () -> BackfillState,
        reconcile: (@Sendable () -> ReconcileState)? = nil, reconcileProblem: String? = nil, fleet: FleetBoard? = nil
    ) {
        self.collector = collector
        self.version = version
        self.maximumBytes = maximumBytes
        self.feedDelay = feedDelay
        self.buffer = buffer
        self.connections = connections
        self.uploads = uploads
        self.symbols = symbols
        self.universes = universes
        self.relay = relay
        self.backfill = backfill
        self.reconcile = reconcile
        self.reconcileProblem = reconcileProblem
        self.fleet = fleet
    }

    /// Makes the snapshots show that the collector is shutting down.
    public func beginStopping() { stopping.store(true, ordering: .relaxed) }

    /// Returns the state of everything now.
    public func snapshot() -> CollectorSnapshot {
        let statistics = buffer.statistics
        let uploads = uploads.map {
            UploadState(role: $0.role, streams: $0.streams, status: $0.status, interval: $0.interval.inSeconds)
        }
        var snapshot = CollectorSnapshot(
            collector: collector, version: version, environment: universes.environment)
        let now = snapshot.instant
        snapshot.feedDelay = feedDelay
        snapshot.isStopping = stopping.load(ordering: .relaxed)
        let assignments = Dictionary(uniqueKeysWithValues: symbols.assignments.map { ($0.wish.connection, $0) })
        snapshot.placement = connections.snapshot
        snapshot.connections = snapshot.placement.members.map { member in
            ConnectionState(
                member, assignment: assignments[member.id], at: snapshot.time, feedDelay: feedDelay)
        }
        snapshot.buffer = statistics
        snapshot.maximumBytes = maximumBytes
        snapshot.relay = relay?()
        snapshot.backfill = backfill()
        snapshot.reconcile = reconcile?()
        snapshot.reconcileProblem = reconcileProblem
        snapshot.fleet = fleet?.status
        snapshot.shard = symbols.shard
        snapshot.cache = symbols.cache.statistics
        if universes.isPulling { snapshot.mirror = universes.status }
        snapshot.unreadableMirror = universes.status.unreadable

        snapshot.decoding = watches.withLock { $0.decoding.problems(snapshot.connections, now: now) }
        let commitAge = watches.withLock { watches in
            snapshot.uploads = uploads.map { upload in
                var upload = upload
                upload.stalledFor = watches.uploads[upload.role, default: ProgressWatch()].age(
                    Int64(upload.status.totals.settled), isWaiting: upload.pending(in: statistics) > 0, now: now)
                return upload
            }
            return watches.commits.age(
                statistics.commits, isWaiting: statistics.queuedEvents > 0 && statistics.state == .writing, now: now)
        }
        if commitAge >= Self.commitLimit, statistics.state == .writing {
            snapshot.buffer.state = .failing(
                message: "nothing became durable for \(Int(commitAge)) s while events wait: the disk does not answer; "
                    + "check it and the kernel's log")
        }
        snapshot.loops = [LoopProgress(name: "writer", age: commitAge, limit: Self.writerLimit)]
        return snapshot
    }
}
