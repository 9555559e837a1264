public import MarketData

/// The groups, memberships and settings as the database has them, read in one consistent snapshot.
public struct UniverseSnapshot: Sendable, Equatable {
    /// The groups and the cache entries that are not legacy lists of stocks.
    public var records: UniverseRecords
    /// The legacy lists of stocks.
    public var legacy: [CacheEntryRecord]
    /// What was odd about the rows, a line each.
    public var remarks: [String]
    /// The database, without secrets.
    public var source: String
}

/// Reads groups from the database.
///
/// Takes the tables as it finds them: columns beyond name, type, members and their symbols may be missing, types may
/// differ, UNIVERSE may be a type of its own or not (see ``UniversePush``), `cache_entries` may be missing altogether.
public struct UniverseSource: Sendable {
    /// More memberships than this are no universe of stocks: a wrong table, or a broken join.
    static let maximumMemberships = 5_000_000
    /// Memberships that take more memory than this are refused: a collector runs where there is little.
    public static let maximumBytes = 256 << 20

    private let configuration: UpstreamConfiguration

    /// A source that connects for each reading and keeps no connection open between them.
    public init(configuration: UpstreamConfiguration) {
        self.configuration = configuration
    }

    /// Reads everything in one REPEATABLE READ, READ ONLY transaction.
    ///
    /// - Parameter progress: is told how many of how many memberships have come.
    /// - Throws: any ``UpstreamError/Reason``; a table that can't be read is named.
    public func read(
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws(UpstreamError) -> UniverseSnapshot {
        try await PostgresVisit.run(configuration) { connection throws(UpstreamError) in
            try connection.begin("ISOLATION LEVEL REPEATABLE READ READ ONLY", "begin reading the universes")
            let reading = try UniverseReading(connection)
            var snapshot = try reading.read(progress: progress)
            snapshot.source = configuration.target
            return snapshot
        }
    }
}
