/// What a box says of itself in `edgetick_collectors`.
public struct FleetReport: Sendable, Equatable {
    /// How a box is, in one word.
    public enum State: String, Sendable, CaseIterable, Codable {
        /// It has not collected yet.
        case starting
        /// All is as its settings say.
        case ok
        /// Something is wrong, and it collects.
        case degraded
        /// It does not collect.
        case failing
        /// It was stopped as a person or a supervisor asked.
        case stopped
    }

    /// The box's name (`COLLECTOR_ID`).
    public var id: String
    /// Its group (`COLLECTOR_GROUP`).
    public var group: String?
    /// The machine's name.
    public var host: String
    /// The program's version.
    public var version: String
    /// For how many seconds it runs.
    public var uptime = 0.0
    /// How it is.
    public var state = State.starting
    /// Why it is not ``State/ok``, in one line; `nil` when it is.
    public var reason: String?
    /// How many symbols it is to collect; 0 where it collects all.
    public var symbols = 0
    /// Events a second over about the last minute.
    public var eventsPerSecond = 0.0
    /// Rows that are not upstream yet.
    public var rowsPending: Int64 = 0
    /// The age of the oldest of them, in seconds.
    public var oldestPending = 0.0
    /// When its newest events were handed over, in milliseconds since the Unix epoch by its own clock.
    public var lastEvent: Int64?
    /// Gaps that are not settled.
    public var gapsOpen: Int64 = 0
    /// Events given up since its file was made.
    public var eventsDropped: Int64 = 0
    /// Rows that upstream refused.
    public var deadLetters: Int64 = 0
    /// Free bytes of its disk; `nil` before it was looked at.
    public var diskFreeBytes: Int64?
    /// The UUID of its buffer's file.
    public var fileID: String
    /// How far its clock is ahead of the server's, in milliseconds; `nil` before it was measured.
    public var clockOffset: Int64?
    /// Whether, within the last hour, another client took the account's last connection to the feed.
    public var isPushedOut = false
    /// With SHARD=auto: the boxes, itself included, among which it has taken its share of the symbols.
    public var sharesWith: [String]?

    /// A box that starts.
    public init(id: String, group: String?, host: String, version: String, fileID: String) {
        self.id = id
        self.group = group
        self.host = host
        self.version = version
        self.fileID = fileID
    }
}

/// A row of `edgetick_collectors`, and what the server knows of it besides.
public struct FleetRow: Sendable, Equatable {
    /// What the box said when it was last seen.
    public var report: FleetReport
    /// When that was, by the server's clock, in milliseconds since the Unix epoch.
    public var seen: Int64
    /// How many seconds ago that was, by the server's clock.
    public var age: Double
    /// Whether the box's connection to the server is open; `nil` where the server can't know.
    public var isConnected: Bool?
}
