public import Feed
import MarketData
public import Store
import Synchronization
import Universe
import Upstream

/// Takes the snapshots of a running collector: reads every part's own state from memory, and waits for nothing.
public final class CollectorProbe: Sendable {
    /// The state that is kept between two snapshots.
    private struct Watches {
        var commits = ProgressWatch()
        var uploads: [UpstreamRole: ProgressWatch] = [:]
        var decoding = DecodeWatch()
        var kinds = KindWatch()
    }

    /// How many seconds without a commit, while events wait, count as a failure of the buffer.
    static let commitLimit = 5.0
    /// The name of the loop that writes the buffer's file.
    static let writer = "writer"
    /// The writer counts as stuck from this many seconds on.
    static let writerLimit = 60.0

    private let collector: String
    private let version: String
    private let feedDelay: Double
    private let buffer: TickBuffer
    private let connections: ConnectionSet
    private let uploads: [SyncService]
    private let symbols: Symbols
    private let universes: UniverseService
    private let fleet: FleetBoard?
    private let others: @Sendable (inout CollectorSnapshot) -> Void
    private let watches = Mutex(Watches())
    private let stopping = Atomic<Bool>(false)

    /// A probe of these parts. See ``CollectorSnapshot`` for the meaning and units of the rest.
    ///
    /// - Parameter others: Adds the state of the parts that this module doesn't know, from memory.
    public init(
        collector: String, version: String, feedDelay: Double, buffer: TickBuffer, connections: ConnectionSet,
        uploads: [SyncService], symbols: Symbols, universes: UniverseService, fleet: FleetBoard?,
        others: @escaping @Sendable (inout CollectorSnapshot) -> Void
    ) {
        self.collector = collector
        self.version = version
        self.feedDelay = feedDelay
        self.buffer = buffer
        self.connections = connections
        self.uploads = uploads
        self.symbols = symbols
        self.universes = universes
        self.fleet = fleet
        self.others = others
    }

    /// Makes the snapshots show that the collector is shutting down.
    public func beginStopping() { stopping.store(true, ordering: .relaxed) }

    /// Returns the state of everything now.
    public func snapshot() -> CollectorSnapshot {
        let statistics = buffer.statistics
        let uploads = uploads.map {
            UploadState(
                role: $0.role, streams: $0.streams, status: $0.status, interval: $0.interval.inSeconds,
                keepsOutOnPurpose: $0.keepsOutOnPurpose)
        }
        var snapshot = CollectorSnapshot(collector: collector, version: version, environment: universes.environment)
        let now = snapshot.instant
        snapshot.feedDelay = feedDelay
        snapshot.isStopping = stopping.load(ordering: .relaxed)
        let assignments = Dictionary(uniqueKeysWithValues: symbols.assignments.map { ($0.wish.connection, $0) })
        snapshot.placement = connections.snapshot
        snapshot.unusedConnections = symbols.unusedConnections
        snapshot.connections = snapshot.placement.members.map { member in
            ConnectionState(
                member, assignment: assignments[member.id], at: snapshot.time, now: now, feedDelay: feedDelay)
        }
        snapshot.buffer = statistics
        others(&snapshot)
        snapshot.fleet = fleet?.status
        snapshot.shard = symbols.shard
        snapshot.cache = symbols.cache.statistics
        if universes.isPulling { snapshot.mirror = universes.status }
        snapshot.unreadableMirror = universes.status.unreadable

        let isTrading = MarketHours(at: snapshot.time - Int64(feedDelay * 1000)).session == .regular
        let commitAge = watches.withLock { watches in
            snapshot.decoding = watches.decoding.problems(snapshot.connections, now: now)
            watches.kinds.look(at: &snapshot.connections, isTrading: isTrading, now: now)
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
                message: "nothing was committed for \(Int(commitAge)) s while events wait: the disk does not respond; "
                    + "check it and the kernel's log")
        }
        snapshot.loops = [LoopProgress(name: Self.writer, age: commitAge, limit: Self.writerLimit)]
        return snapshot
    }
}
