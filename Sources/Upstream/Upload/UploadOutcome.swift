/// What became of a batch.
public struct UploadOutcome: Sendable, Equatable {
    /// How the rows went into their table.
    public enum Path: String, Sendable {
        /// COPY into the table itself.
        case direct
        /// COPY into a temporary table and INSERT … ON CONFLICT from there, because keys may exist.
        case staging
    }

    /// The number of rows whose key was new.
    var inserted = 0
    /// The number of bars that replaced another version. On hypertables and partitioned tables, new rows of the staging
    /// path count here as well, because the server can't distinguish them there.
    var updated = 0
    /// The number of rows that existed: the same or a newer bar, an event that another box or upload had sent.
    var unchanged = 0
    /// The number of bars left out because the batch holds a newer version.
    var superseded = 0
    /// The number of rows that the server refused; they became dead letters.
    public internal(set) var refused = 0
    /// The number of rows that the server accepted but, because of a trigger, did not store in their table.
    public internal(set) var keptOut = 0
    /// The number of rows that were upstream already, from an earlier transaction.
    var skipped = 0
    /// The number of bytes of row data sent.
    public internal(set) var bytes = 0
    /// The path of the rows; `nil` if none was loaded.
    public internal(set) var path: Path?

    /// The number of rows, and of versions of bars, that were new upstream.
    public var new: Int { inserted + updated }
    /// The number of rows that were upstream already, or of whose bar a newer version was.
    public var present: Int { unchanged + skipped }

    /// The number of rows that the server took.
    var loaded: Int { inserted + updated + unchanged + keptOut }

    /// Whether any row went into its table.
    var hasLoaded: Bool { loaded > 0 }

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
