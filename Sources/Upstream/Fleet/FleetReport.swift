/// A box's report about itself, as it writes it to `edgetick_collectors`.
public struct FleetReport: Sendable, Equatable {
    /// The state of a box.
    public enum State: String, Sendable, CaseIterable, Codable {
        /// It has not collected yet.
        case starting
        /// It works as its settings say.
        case ok
        /// Something is wrong, but it collects.
        case degraded
        /// It does not collect.
        case failing
        /// A person or a supervisor stopped it.
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
    /// How long it has been running, in seconds.
    public var uptime = 0.0
    /// Its state.
    public var state = State.starting
    /// Why its state isn't ``State/ok``, in one line; `nil` when it is.
    public var reason: String?
    /// The number of symbols assigned to it, each counted once; 0 also when it collects all: see ``takesAll``.
    public var symbols = 0
    /// Whether it collects all symbols of the market.
    public var takesAll = false
    /// Events per second, over about the last minute.
    public var eventsPerSecond = 0.0
    /// Rows that are not upstream yet.
    public var rowsPending: Int64 = 0
    /// The age of the oldest of them, in seconds.
    public var oldestPending = 0.0
    /// When its newest events were handed over, in milliseconds since the Unix epoch by its own clock.
    public var lastEvent: Int64?
    /// The number of unsettled gaps.
    public var gapsOpen: Int64 = 0
    /// The number of events dropped since its file was created.
    public var eventsDropped: Int64 = 0
    /// The number of rows that upstream refused.
    public var deadLetters: Int64 = 0
    /// Free bytes on its disk; `nil` until first measured.
    public var diskFreeBytes: Int64?
    /// The UUID of its buffer's file.
    public var fileID: String
    /// How far its clock is ahead of the server's, in milliseconds; `nil` until measured.
    public var clockOffset: Int64?
    /// Whether another client took the account's last connection to the feed within the last hour.
    public var isPushedOut = false
    /// With SHARD=auto, the boxes that it shares the symbols with, itself included.
    public var sharesWith: [String]?

    /// Creates the report of a box that is starting.
    public init(id: String, group: String?, host: String, version: String, fileID: String) {
        self.id = id
        self.group = group
        self.host = host
        self.version = version
        self.fileID = fileID
    }
}

/// A row of `edgetick_collectors`, with what the server knows about the box.
public struct FleetRow: Sendable, Equatable {
    /// The box's most recent report.
    public var report: FleetReport
    /// When it was written, by the server's clock, in milliseconds since the Unix epoch.
    public var seen: Int64
    /// How long ago it was written, by the server's clock, in seconds.
    public var age: Double
    /// Whether the box's connection to the server is open; `nil` if the server can't know.
    public var isConnected: Bool?
}
