import Universe

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

extension CacheState {
    /// The cache's counts, from memory.
    init(_ statistics: CacheStatistics) {
        self.init()
        hits = Int64(statistics.hits)
        misses = Int64(statistics.misses)
        loads = Int64(statistics.loads)
        evictions = Int64(statistics.evictions)
        entries = statistics.entries
        bytes = statistics.bytes
    }
}
