public import MarketData

/// The rows of a verified `ticks.sqlite`, read in batches.
public final class StoredRows {
    private let handle: ReadHandle
    private let version: Int

    /// Opens a file for reading. Blocks on the disk.
    ///
    /// - Throws: `.inputOutput`, `.damaged`.
    public init(_ verified: FileVerification) throws(StoreError) {
        let isAtRest = verified.holder == nil && StoreFile.size(of: verified.path + "-wal") == 0
        handle = try ReadHandle(path: verified.path, isAtRest: isAtRest)
        version = verified.schemaVersion ?? 0
    }

    /// Returns the rows of a stream after one sequence and through another, at most `limit`.
    ///
    /// - Throws: `.damaged`, `.inputOutput`.
    public func rows(
        of stream: EventStream, after: Int64, through: Int64, limit: Int
    ) throws(StoreError) -> BufferedBatch {
        let statement = try handle.statement(
            """
            SELECT \(stream.selection(inFileOfVersion: version)) FROM \(stream.rawValue)
            WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3
            """)
        var run = BatchRun(stream: stream)
        try statement.forEach([after, through, limit]) { run.append($0) }
        return run.batch
    }

    /// Returns which rows of a stream after one sequence and through another upstream refused.
    ///
    /// - Throws: `.damaged`, `.inputOutput`.
    public func refusedRows(
        of stream: EventStream, after: Int64, through: Int64
    ) throws(StoreError) -> [ClosedRange<Int64>] {
        var found: [ClosedRange<Int64>] = []
        try handle.statement(DropReason.refused(stream)).forEach([after, through]) { row in
            if let first = row.integer(0), let last = row.integer(1), first <= last { found.append(first...last) }
        }
        return found
    }

    /// Returns which rows of a stream after one sequence and through another upstream may have refused: see
    /// ``TickBuffer/possiblyRefusedRows(of:after:through:)``.
    ///
    /// - Throws: `.damaged`, `.inputOutput`.
    public func possiblyRefusedRows(
        of stream: EventStream, after: Int64, through: Int64
    ) throws(StoreError) -> Set<Int64> {
        var found: Set<Int64> = []
        try handle.statement(DropReason.mayBeRefused(stream)).forEach([after, through]) { row in
            if let sequence = row.integer(0) { found.insert(sequence) }
        }
        return found
    }
}
