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

    /// How far upstream is behind, in seconds; 0 when it has everything, or there is none.
    public var uploadLag: Double { sync.isConfigured ? buffer.oldestPendingAge ?? 0 : 0 }

    /// Makes the snapshot of a collector that has nothing yet.
    public init(collector: String, version: String, environment: String = "DEFAULT") {
        self.collector = collector
        self.version = version
        self.environment = environment
    }
}

/// How current the local copy of the universes is.
public struct MirrorState: Sendable, Equatable {
    /// How old the pulled groups are, in seconds; `nil` when there was never a pull.
    public var age: Double?
    /// Why pulling fails, in one line, without secrets; `nil` while it does not.
    public var failure: String?

    /// Makes a state; see the properties for meaning.
    public init(age: Double? = nil, failure: String? = nil) {
        self.age = age
        self.failure = failure
    }
}

/// How far a loop of the process has come.
public struct LoopProgress: Sendable, Equatable {
    /// The loop's name: `writer`, `upload`.
    public var name: String
    /// Seconds since the loop last went round, on a clock that never jumps.
    public var age: Double
    /// The age in seconds from which the loop counts as stuck.
    public var limit: Double

    /// Makes a loop's progress; see the properties for units.
    public init(name: String, age: Double, limit: Double) {
        self.name = name
        self.age = age
        self.limit = limit
    }

    /// Whether the loop went round in time.
    public var isAlive: Bool { age <= limit }
}

/// The relationship cache's counts since the start.
public struct CacheState: Sendable, Equatable {
    /// Answers from memory.
    public var hits: Int64 = 0
    /// Questions that had to be loaded.
    public var misses: Int64 = 0
    /// Loads from the mirror's file.
    public var loads: Int64 = 0
    /// Entries that made room for others.
    public var evictions: Int64 = 0
    /// Entries held now.
    public var entries = 0
    /// Roughly the bytes held now.
    public var bytes = 0

    /// Makes the counts of a cache that was not asked yet.
    public init() {}

    /// Hits among all questions, 0 to 1; `nil` before the first.
    public var hitRate: Double? {
        hits + misses == 0 ? nil : Double(hits) / Double(hits + misses)
    }
}
