public import MarketData

/// How a set of connections shares the symbols.
public struct SetConfiguration: Sendable {
    /// How symbols are spread.
    public var strategy = RoutingStrategy.manual
    /// Which symbols are subscribed to on two connections.
    public var redundant = RedundantSymbols.none
    /// Whether a connection that is down gives its symbols to the others.
    public var failsOver = true
    /// When it gives them away, and when it gets them back.
    public var failover = FailoverRules()
    /// How often the rates are compared.
    public var healthInterval: Duration = .seconds(30)
    /// Whether symbols move by themselves when the rates differ by a factor. This applies only to the strategy
    /// ``RoutingStrategy/loadBalanced``, because the others determine where a symbol belongs.
    public var rebalances = true
    /// How many messages each symbol is expected to bring, in any unit that all share, until rates are known.
    public var firstGuess: [Symbol: Double] = [:]
    /// How long a moving symbol is subscribed at both places before the old one is given up.
    var overlap: Duration = .milliseconds(500)
    /// How long events may still come after the feed has confirmed that a place was given up.
    var calm: Duration = .seconds(5)
    /// The longest wait for the feed to confirm that a place was given up.
    var patience: Duration = .seconds(30)
    /// The maximum number of connections to the feed at once. A connection that is added while another is leaving waits
    /// for that to end. `nil` sets no limit.
    public var limit: Int?
    /// How long to remember events that a second connection may deliver again.
    public var memory: Duration = .seconds(120)
    /// The maximum number of events to remember; a connection that owes more is reopened.
    var memoryLimit = 1 << 19

    /// Makes a configuration with the defaults.
    public init() {}
}

/// A connection of a set.
public struct SetMember: Sendable {
    /// The connection's name in look-ups, such as `connection_1`; unique in the set.
    public var id: String
    /// How it connects; the name in it appears in batches, gaps and logs.
    public var configuration: FeedConfiguration
    /// What it is configured to deliver.
    public var interest: Interest
    /// 1 comes first.
    public var priority: Int
    /// The maximum number of symbols that it takes; `nil` sets no limit.
    var capacity: Int?

    /// Makes a member; see the properties for meaning.
    public init(
        id: String, configuration: FeedConfiguration, interest: Interest, priority: Int = 1, capacity: Int? = nil
    ) {
        self.id = id
        self.configuration = configuration
        self.interest = interest
        self.priority = priority
        self.capacity = capacity
    }
}

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
