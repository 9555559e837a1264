public import MarketData
public import Store
public import Upstream

/// Compares a file's uploaded rows with those upstream, one by one.
public struct UploadedRows: Sendable {
    /// Rows that were looked up.
    public private(set) var count = 0
    /// The first and last of the rows that are missing upstream, and how many there are.
    private(set) var missing: (first: Int64, last: Int64, count: Int)?
    /// The first of the rows with more copies upstream than in the file, and how many there are.
    private(set) var doubled: (first: Int64, count: Int)?
    /// Whether a row that is upstream comes before one that is missing.
    private(set) var isScattered = false
    /// Whether rows can be distinguished from another collector's.
    private(set) var isCertain = true
    /// Whether a trigger has changed values of rows.
    private(set) var areChanged = false
    private var hasFound = false
    /// Whether a row is missing that the database's own retention can't have deleted yet.
    private var lacksRecent = false

    /// Looks up all rows of a stream that count as uploaded; those that were refused are left out. Blocks on the disk.
    ///
    /// - Throws: `StoreError` and `UpstreamError`.
    public static func compare(
        _ stream: EventStream, of verified: FileVerification, with uploader: Uploader,
        progress: (Int) -> Void = { _ in }
    ) async throws -> UploadedRows {
        var result = UploadedRows()
        guard let marks = verified.streams[stream], marks.acknowledged > 0 else { return result }
        let rows = try StoredRows(verified)
        let cutoff = WallClock.microseconds() - UploadLooks.longest
        var after = marks.deletedThrough
        while true {
            let batch = try rows.rows(of: stream, after: after, through: marks.acknowledged, limit: 1000)
            guard let last = batch.lastSequence else { return result }
            // Before the look-up: a retry takes the letter out of the file.
            let refused = try rows.refusedRows(of: stream, after: after, through: last)
            let found = try await uploader.lookUp(batch)
            let doubtful = try rows.possiblyRefusedRows(of: stream, after: after, through: last)
            result.isCertain = result.isCertain && found.isCertain
            result.areChanged = result.areChanged || found.areChanged
            let recent = Set(
                (0..<batch.count).compactMap { index in
                    (batch.received(at: index) ?? 0) > cutoff ? batch.sequence(at: index) : nil
                })
            for row in found.rows.sorted(by: { $0.sequence < $1.sequence })
            where !refused.contains(where: { $0.contains(row.sequence) })
                && (row.upstream > 0 || !doubtful.contains(row.sequence))
            {
                result.add(
                    row, isEdge: row.sequence == batch.firstSequence || row.sequence == last,
                    isRecent: recent.contains(row.sequence))
            }
            after = last
            progress(result.count)
        }
    }

    /// - Parameters:
    ///   - isEdge: Whether an identical row may be in the neighbouring batch.
    ///   - isRecent: Whether the row came so lately that the database's own retention can't have deleted it.
    private mutating func add(_ row: RowCopies, isEdge: Bool, isRecent: Bool) {
        count += 1
        if row.upstream == 0 {
            missing = (missing?.first ?? row.sequence, row.sequence, (missing?.count ?? 0) + 1)
            isScattered = isScattered || hasFound
            lacksRecent = lacksRecent || isRecent
        } else {
            hasFound = true
            if isCertain, !isEdge, row.upstream > row.alike {
                doubled = (doubled?.first ?? row.sequence, (doubled?.count ?? 0) + 1)
            }
        }
    }

    /// Adds the findings to `result`.
    public func note(_ stream: EventStream, in result: inout FileVerification) {
        let name = stream.rawValue
        if let missing {
            // If only the oldest rows are missing, and none of the last day, the database's retention may have deleted
            // them.
            let isOldest = !isScattered && !lacksRecent && missing.count < count
            let again = "edgetick sync --again --stream \(name) --from \(missing.first)"
            result.find(
                isOldest ? .warning : .fault, .ledger, at: "\(name) \(missing.first)…\(missing.last)",
                "\(missing.count) of \(count) uploaded rows are not upstream",
                advice: isOldest
                    ? "the database's own retention may have deleted its oldest rows; if it has none, \(again)"
                    : "somebody deleted them, a trigger keeps them out, or the database was restored from a backup: "
                        + again)
        }
        if let doubled {
            result.find(
                .fault, .ledger, at: "\(name) from \(doubled.first)",
                "\(doubled.count.counted("row is", "rows are")) upstream more than once",
                advice: "delete all but one copy of each in the database")
        }
        if areChanged {
            result.find(
                .note, .ledger, at: name,
                "a trigger on the table changes values: some rows were found only by what identifies their events; "
                    + "whether those are doubled was not checked")
        }
        if !isCertain, count > 0 {
            result.find(
                .note, .ledger, at: name,
                "the table or some of its rows have no received_at, or no collector where a trigger changes "
                    + "received_at: a row that another collector sent counts as this one's, and whether rows are "
                    + "doubled was not checked")
        }
    }
}
