public import MarketData

/// The groups, memberships and settings in the database, read in one consistent snapshot.
public struct UniverseSnapshot: Sendable, Equatable {
    /// The groups and the cache entries that are not legacy lists of stocks.
    public var records: UniverseRecords
    /// The legacy lists of stocks, if they were read.
    public var legacy: [CacheEntryRecord]
    /// How many legacy lists of stocks there are.
    public var legacyCount: Int
    /// Oddities of the rows, one line each.
    public var remarks: [String]
    /// The database, without secrets.
    public var source: String
}

/// Reads groups from the database.
///
/// Accepts the tables as they are. Only the columns id, name and type of groups, group_id and symbol of memberships,
/// and type, key and value of `cache_entries` must exist. Types may differ, UNIVERSE may be a type of its own or not
/// (see ``TypeMark``), and `cache_entries` may be missing altogether.
public struct UniverseSource: Sendable {
    /// More memberships than this are no universe of stocks, but a wrong table or a broken join.
    static let maximumMemberships = 5_000_000
    /// The limit for the memory that all rows take, since a collector may run where memory is scarce.
    public static let maximumBytes = 256 << 20

    private let configuration: UpstreamConfiguration

    /// Creates a source, which connects for each reading and keeps no connection open in between.
    public init(configuration: UpstreamConfiguration) { self.configuration = configuration }

    /// Reads everything as the tables have it, in one REPEATABLE READ, READ ONLY transaction.
    ///
    /// - Parameters:
    ///   - withLegacy: whether the legacy lists of stocks are read, and not only counted.
    ///   - progress: receives the number of memberships read and the number of memberships.
    /// - Throws: any ``UpstreamError/Reason``; a table that can't be read is named.
    public func read(
        withLegacy: Bool = true,
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws(UpstreamError) -> UniverseSnapshot {
        try await PostgresVisit().run(configuration) { connection throws(UpstreamError) in
            try connection.begin("ISOLATION LEVEL REPEATABLE READ READ ONLY", "begin reading the universes")
            var snapshot = try UniverseReading(connection).read(withLegacy: withLegacy, progress: progress)
            snapshot.source = configuration.target
            return snapshot
        }
    }
}
