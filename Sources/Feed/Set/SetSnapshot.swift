public import MarketData

/// The state and counters of a set of connections, from memory.
public struct SetSnapshot: Sendable, Equatable {
    /// One connection.
    public struct Member: Sendable, Equatable {
        /// The member's id.
        public var id: String
        /// The connection's own state and counters.
        public var feed: FeedSnapshot
        /// 1 comes first.
        public var priority = 1
        /// Whether it was down for too long, so that its symbols are with the others until it is trusted again.
        public var isFailedOver = false
        /// Events per second over about the last second.
        public var eventsPerSecond = 0.0
        /// Events per second over about the last 5 seconds.
        public var eventsPer5Seconds = 0.0
        /// Events per second over about the last minute.
        public var eventsPerMinute = 0.0
        /// The share of errors among all events and errors of about the last minute, 0 to 1.
        public var errorRate = 0.0
    }

    /// The connections in the order of their slots, without those that are being removed.
    public var members: [Member] = []
    /// What former members delivered, including those that are being removed.
    public var former = FeedTotals()
    /// The number of symbols wanted.
    public var wanted = 0
    /// The wanted symbols that no connection has room for, the most important first; they are not collected.
    public var unplaced: [Symbol] = []
    /// The number of symbols that are moving from one connection to another.
    public var moving = 0
    /// Events left out because another connection had delivered them.
    public var duplicates: Int64 = 0
    /// Events forgotten while a connection that is up still owed its copy, because too many were remembered. That
    /// connection is opened again.
    public var forgotten: Int64 = 0

    /// Makes the snapshot of a set without connections.
    public init() {}

    /// The number of connections that are up.
    public var connected: Int { members.count { $0.feed.status == .connected } }
}

/// The sum of what connections have delivered.
public struct FeedTotals: Sendable, Equatable {
    /// Events handed over and accepted.
    public var events: Int64 = 0
    /// Connections lost or refused, errors that the feed reported, and events that could not be decoded.
    public var errors: Int64 = 0

    /// Adds what a connection delivered.
    mutating func add(_ feed: FeedSnapshot) {
        events += feed.eventCount
        errors += feed.errorCount
    }
}

/// A symbol that moves to another connection.
public struct SetMove: Sendable, Equatable {
    /// The symbol.
    public var symbol: Symbol
    /// The id of the connection that had it.
    public var from: String
    /// The id of the connection that gets it.
    public var to: String
}
