public import Feed

/// How the collector stands at one moment: plain values, copied from memory.
public struct CollectorSnapshot: Sendable, Equatable {
    /// The collector's name (`COLLECTOR_ID`).
    public var collector: String
    /// The program's version.
    public var version: String
    /// The environment whose groups are used (`ENVIRONMENT`).
    public var environment: String
    /// Whether the collector is shutting down.
    public var isStopping = false
    /// The connections, in the order of their numbers.
    public var connections: [ConnectionState] = []
    /// What connections brought that were removed since the start.
    public var former = FeedTotals()
    /// How late the feed's events are by its plan, in seconds: 900 on a delayed feed.
    public var feedDelay = 0.0
    /// How the connections share the symbols.
    public var placement = PlacementState()
    /// The kinds of events that can't be used as they come.
    public var decoding: [DecodeTrouble] = []
    /// The durable queue.
    public var buffer = BufferState()
    /// The upload.
    public var sync = SyncState()
    /// The mirror of the universes; `nil` where nothing is pulled.
    public var mirror: MirrorState?
    /// The relationship cache; `nil` where there is none.
    public var cache: CacheState?
    /// The loops that must make progress for the process to count as alive.
    public var loops: [LoopProgress] = []

    /// Events of all connections since the start, those that were removed included: it never falls.
    public var eventCount: Int64 { connections.reduce(former.events) { $0 + $1.messageCount } }
    /// Errors of all connections since the start, those that were removed included: it never falls.
    public var errorCount: Int64 { connections.reduce(former.errors) { $0 + $1.errors + $1.rejectCount } }

    /// How far upstream is behind, in seconds; 0 when it has everything, or there is none.
    public var uploadLag: Double { sync.isConfigured ? buffer.oldestPendingAge ?? 0 : 0 }

    /// Makes the snapshot of a collector that has nothing yet.
    public init(collector: String, version: String, environment: String = "DEFAULT") {
        self.collector = collector
        self.version = version
        self.environment = environment
    }
}
