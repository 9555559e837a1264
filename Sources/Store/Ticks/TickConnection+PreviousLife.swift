import GRDB
import MarketData

extension TickConnection {
    /// How many gaps are read at most, the newest first.
    private static let recentGaps = 2000

    /// Returns how far the file got before `now`, in milliseconds since the Unix epoch. Ends the gaps that were under
    /// way then, at ``PreviousLife/lossesEnd``.
    ///
    /// - Returns: `nil` if nothing in the file shows it.
    func endPreviousLife(now: Int64) throws(StoreError) -> PreviousLife? {
        let times = try read { try FileTimes($0) }
        guard let life = times.life(now: now) else { return nil }
        try endGaps(of: life)
        let start = min(life.end, life.newest.values.min() ?? life.end)
        // Gaps that end earlier say nothing about the time since the newest events. Nor does a gap whose backfill has
        // begun: if the feed lagged, events from before its end may not have arrived yet.
        let told = try read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM gaps WHERE to_ms >= ? AND settled_us IS NULL
                    AND NOT EXISTS (SELECT 1 FROM gap_fills WHERE gap = gaps.id)
                    ORDER BY id DESC LIMIT \(Self.recentGaps)
                    """, arguments: [start]
            ).map { Gap($0) }
        }
        return times.life(now: now, told: told)
    }

    /// Ends the gaps that are under way; if the disk is full, that is left to the next start.
    private func endGaps(of life: PreviousLife) throws(StoreError) {
        let end = life.lossesEnd
        let isUncertain = life.isUncertain || end < life.end
        _ = try changeIfPossible { database in
            try database.execute(sql: "DELETE FROM gaps WHERE to_ms IS NULL AND from_ms >= ?", arguments: [end])
            try database.execute(
                sql: "UPDATE gaps SET to_ms = ?, uncertain = max(uncertain, ?) WHERE to_ms IS NULL",
                arguments: [end, isUncertain ? 1 : 0])
        }
    }

    /// Returns the gaps that the next file has to fill when this one is gone.
    func unfilledGaps() -> UnfilledGaps { queue.unsafeRead { UnfilledGaps($0) } }

    /// Returns the latest time at which a row was received, in microseconds since the Unix epoch: no later row may have
    /// an earlier one.
    func greatestReceipt() throws(StoreError) -> Int64 {
        try read { database in
            try EventStream.allCases.compactMap { stream in
                try Int64.fetchOne(database, sql: ReceiptOrder.greatest(of: stream, last: 1000))
            }.max() ?? 0
        }
    }
}
