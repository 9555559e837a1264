public import MarketData

/// What a repair did, or would do.
public struct RepairReport: Sendable, Equatable {
    /// How it ended.
    public enum Outcome: String, Sendable {
        /// The file has no fault; nothing was done.
        case sound
        /// What could be read is in a fresh file.
        case repaired
        /// It was determined what would be done; nothing was changed.
        case dryRun = "dry-run"
        /// The file's identifier can't be read, so nobody can tell which rows are upstream; nothing was changed.
        case identityLost = "identity-lost"
        /// Not one row can be read; nothing was changed.
        case hopeless
    }

    /// A table's rows.
    public struct Table: Sendable, Equatable, Codable {
        /// The table.
        public var name: String
        /// Rows that are in the fresh file.
        public var kept: Int64
        /// Rows that were found but could not be read, if they can be counted.
        public var unreadable: Int64
    }

    /// Rows of a stream that are lost, by the holes in their numbers.
    public struct Loss: Sendable, Equatable {
        /// The stream.
        public var stream: EventStream
        /// The first number missing.
        public var first: Int64
        /// The last number missing.
        public var last: Int64
        /// The feed time of the row before the loss, in milliseconds since the Unix epoch; `nil` if there is none.
        public var from: Int64?
        /// The feed time of the row after the loss, in milliseconds since the Unix epoch; `nil` if there is none.
        public var to: Int64?
        /// Symbols of the rows around the loss, the most likely to be affected.
        public var symbolsAround: [String]

        /// The number of rows lost.
        public var count: Int64 { last - first + 1 }
    }

    /// The damaged file.
    public var path: String
    /// Which of the two files it is.
    public var kind: LocalFile
    /// How it ended.
    public var outcome = Outcome.sound
    /// The fresh file; `nil` when none was made.
    public var output: String?
    /// The new path of the damaged file, if the fresh one took its place.
    public var setAside: String?
    /// The damaged file, if it is reported as set aside until it is moved away.
    public var toMoveAway: String?
    /// The damaged file's identifier.
    public var id: String?
    /// The fresh file's identifier.
    public var newID: String?
    /// The tables, in the order in which they were read.
    public var tables: [Table] = []
    /// What is lost, by stream and number.
    public var losses: [Loss] = []
    /// Whether rows after the last one that was read may be lost; how many can't be known.
    public var losesEnd = false
    /// What else a person should know, one line each.
    public var remarks: [String] = []

    /// The number of rows in the fresh file.
    public var kept: Int64 { tables.reduce(0) { $0 + $1.kept } }

    /// The number of event rows that are lost.
    public var lost: Int64 { losses.reduce(0) { $0 + $1.count } }
}
