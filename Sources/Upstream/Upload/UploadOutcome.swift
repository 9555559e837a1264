/// What became of a batch.
public struct UploadOutcome: Sendable, Equatable {
    /// How the rows went into their table.
    public enum Path: String, Sendable {
        /// COPY into the table itself.
        case direct
        /// COPY into a temporary table and INSERT … ON CONFLICT from there, because keys existed.
        case staging
    }

    /// Rows whose key was new.
    var inserted = 0
    /// Bars that replaced another version. On hypertables and partitioned tables new rows of the staging path count
    /// here as well, because the server doesn't tell them apart there.
    var updated = 0
    /// Rows that were there already: bars with the same values, events that another box or an earlier upload brought.
    var unchanged = 0
    /// Bars that were left out because the batch holds a newer version of them.
    var superseded = 0
    /// Rows that the server will not take; they were handed to the dead letters.
    public internal(set) var refused = 0
    /// Rows that the server took and didn't store in their table, because a trigger of the table keeps them out or puts them
    /// elsewhere.
    public internal(set) var keptOut = 0
    /// Rows that an earlier transaction had brought up, says the ledger.
    var skipped = 0
    /// Bytes of row data sent.
    public internal(set) var bytes = 0
    /// How the rows went; `nil` when none did.
    public internal(set) var path: Path?

    /// Whether any row went into its table.
    var hasLoaded: Bool { inserted + updated + unchanged + keptOut > 0 }

    mutating func add(_ other: UploadOutcome) {
        inserted += other.inserted
        updated += other.updated
        unchanged += other.unchanged
        superseded += other.superseded
        refused += other.refused
        keptOut += other.keptOut
        skipped += other.skipped
        bytes += other.bytes
        if other.path == .staging || path == nil { path = other.path }
    }
}

/// A row that upstream will not take.
public struct RefusedRow: Sendable, Equatable {
    /// The row's number in its stream of the buffer.
    public let sequence: Int64
    /// The server's five-character code.
    public let sqlState: String
    /// The server's words, with the constraint or column that is concerned.
    public let reason: String
    /// The row as a JSON object, with the names of the buffer's columns.
    public let rowJSON: String
}
