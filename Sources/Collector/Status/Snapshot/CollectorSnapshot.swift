public import Feed
import MarketData
public import Store
public import Universe

/// The state of the collector at one moment: the parts' own values, copied from memory.
public struct CollectorSnapshot: Sendable, Equatable {
    /// The collector's name (`COLLECTOR_ID`).
    public var collector: String
    /// The program's version.
    public var version: String
    /// The environment whose groups are used (`ENVIRONMENT`).
    public var environment = "DEFAULT"
    /// When it was taken, in milliseconds since the Unix epoch.
    public var time = WallClock.milliseconds()
    /// When it was taken, on a clock that never jumps.
    public var instant = ContinuousClock.now
    /// Whether the collector is shutting down.
    var isStopping = false
    /// The connections, in the order of their numbers.
    public var connections: [ConnectionState] = []
    /// How the connections share the symbols; its members are those of ``connections``.
    public var placement = SetSnapshot()
    /// The names of the connections that are new in the settings and used only after a restart.
    var unusedConnections: [String] = []
    /// How late the feed's events are under its plan, in seconds: 900 on a delayed feed.
    public var feedDelay = 0.0
    /// The kinds of events that can't be used as the feed sends them.
    var decoding: [DecodeProblem] = []
    /// The durable queue.
    public var buffer = BufferStatistics()
    /// The cap of the buffer's file in bytes (`BUFFER_MAX_BYTES`).
    public var maximumBytes: Int64 = 0
    /// The uploads, one for each database; none when there is no upstream (`DATABASE_URI`).
    public var uploads: [UploadState] = []
    /// The state of the mirror; `nil` when nothing is pulled.
    public var mirror: UniverseStatus?
    /// Why the mirror can't be read, if it can't, whether or not it is pulled.
    var unreadableMirror: LastingFailure?
    /// The relationship cache; `nil` when there is none.
    public var cache: CacheStatistics?
    /// The relay; `nil` when there is none.
    public var relay: RelayState?
    /// The filling of gaps.
    public var backfill = BackfillState.filling(nil)
    /// The daily comparison with the tape; `nil` when there is none.
    public var reconcile: ReconcileState?
    /// Why there is none although RECONCILE_AT is set; `nil` otherwise.
    public var reconcileProblem: String?
    /// The state of this box in the fleet; `nil` when there is no upstream.
    public var fleet: FleetBoard.Status?
    /// How many of the symbols the box takes; `nil` without SHARD.
    public var shard: ShardState?
    /// The loops that must make progress for the process to count as alive.
    public var loops: [LoopProgress] = []

    /// The events of all connections since the start, including removed ones, so that the count never falls.
    public var eventCount: Int64 { connections.reduce(placement.former.events) { $0 + $1.messageCount } }
    /// The errors of all connections since the start, including removed ones, so that the count never falls.
    public var errorCount: Int64 { connections.reduce(placement.former.errors) { $0 + $1.errorCount } }

    /// All uploads combined; `nil` when there is no upstream.
    public var sync: SyncStatus? { SyncStatus(uploads) }
    /// For how many seconds rows have waited without one being settled upstream, in the worst of the databases.
    public var stalledFor: Double { uploads.map(\.stalledFor).max() ?? 0 }

    /// The age of the oldest row that upstream does not have, in seconds; `nil` when it has all.
    public var oldestPendingAge: Double? { buffer.oldestPendingMilliseconds.map { max(0, Double(time - $0) / 1000) } }
    /// How far upstream is behind, in seconds; 0 when it has everything or there is no upstream.
    public var uploadLag: Double { uploads.isEmpty ? 0 : oldestPendingAge ?? 0 }

    /// Returns the seconds since something began, as of this snapshot.
    public func age(of start: ContinuousClock.Instant) -> Double { max(0, (instant - start).inSeconds) }
}
