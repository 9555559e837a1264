import GRDB

extension TickConnection {
    /// Runs `body` in a transaction; rolls it back if anything fails.
    ///
    /// - Parameter mustSync: Whether the disk must have it on return although commits usually aren't synced. The sync
    ///   covers the whole log, and so all earlier transactions.
    func transaction<Result>(
        mustSync: Bool, _ body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        guard mustSync else { return try transaction(body) }
        try setSynchronous(.full)
        // If this fails, later commits are only slower.
        defer { try? setSynchronous(.normal) }
        return try transaction(body)
    }

    private func setSynchronous(_ synchronous: TickBuffer.Synchronous) throws(StoreError) {
        try StoreError.translating("use", path: path) {
            try queue.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA synchronous = \(synchronous.rawValue)")
            }
        }
    }
}
