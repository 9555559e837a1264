import GRDB
import MarketData

extension TickConnection {
    /// Has the file go on under another identifier, with the old one as a predecessor.
    ///
    /// After a kill the log may be shorter than it was, on a disk that lost its end or in a copy that was put back. The
    /// numbers given from now on must then not be taken for rows that went up under the old identifier. What the old
    /// one's ledger says of the rows that are here still counts.
    func renamed(_ contents: Contents, to id: String) throws(StoreError) -> Contents {
        do throws(StoreError) {
            try StoreError.translating("use", path: path) {
                try queue.inTransaction(.immediate) { database in
                    for stream in EventStream.allCases where contents.last[stream] > 0 {
                        // Of rows that are no longer in the file nobody asks where they went.
                        try database.execute(
                            sql: "DELETE FROM predecessors WHERE stream = ? AND through <= ?",
                            arguments: [stream.rawValue, contents.deletedThrough[stream]])
                        try database.execute(
                            sql: "INSERT OR REPLACE INTO predecessors (id, stream, through) VALUES (?, ?, ?)",
                            arguments: [contents.id, stream.rawValue, contents.last[stream]])
                    }
                    try database.execute(sql: "UPDATE buffer SET id = ?", arguments: [id])
                    return .commit
                }
            }
        } catch {
            // A full disk must not keep a collector from starting.
            guard error.reason != .damaged else { throw error }
            return contents
        }
        var renamed = contents
        renamed.id = id
        return renamed
    }
}
