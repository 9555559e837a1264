public import MarketData

/// How a set of connections shares the symbols.
public struct SetConfiguration: Sendable {
    /// How symbols are spread.
    public var strategy = RoutingStrategy.manual
    /// Which symbols are taken from two connections.
    public var redundant = RedundantSymbols.none
    /// Whether a connection that is down gives its symbols to the others.
    public var failsOver = true
    /// When it does, and when it gets them back.
    public var failover = FailoverRules()
    /// How often the rates are compared.
    public var healthInterval: Duration = .seconds(30)
    /// Whether symbols move by themselves when the rates differ by a factor; with the strategy ``RoutingStrategy/loadBalanced``
    /// only, because the others say where a symbol belongs.
    public var rebalances = true
    /// Which of them move then.
    var rebalance = Rebalance()
    /// How many messages each symbol is expected to bring, in any one unit, before that was seen.
    public var firstGuess: [Symbol: Double] = [:]
    /// How long both places of a symbol that moves stand before the old one is given up.
    var overlap: Duration = .milliseconds(500)
    /// How long after the feed's word that a place was given up events of it may still come.
    var calm: Duration = .seconds(5)
    /// The longest wait for the feed's word that a place was given up.
    var patience: Duration = .seconds(30)
    /// The most connections that the feed is asked for at once: one that is added while another still leaves waits for
    /// its end. `nil` sets no limit.
    public var limit: Int?
    /// How long events are remembered that a second connection may bring again.
    public var memory: Duration = .seconds(120)
    /// How many of them at most; a connection that owes more is opened again.
    var memoryLimit = 1 << 19

    /// Makes a configuration with the defaults.
    public init() {}
}

/// A connection of a set.
public struct SetMember: Sendable {
    /// What the connection is called in look-ups, `connection_1`; each its own.
    public var id: String
    /// How it connects; its name is in batches, gaps and logs.
    public var configuration: FeedConfiguration
    /// What it is configured to bring.
    public var interest: Interest
    /// 1 comes first.
    public var priority: Int
    /// The most symbols that it takes; `nil` sets no limit.
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

/// What a set of connections knows of itself; from memory.
public struct SetSnapshot: Sendable, Equatable {
    /// One connection.
    public struct Member: Sendable, Equatable {
        /// The member's id.
        public var id: String
        /// What the connection knows of itself.
        public var feed: FeedSnapshot
        /// 1 comes first.
        public var priority = 1
        /// Whether it was down for too long and its symbols are with the others, until it is trusted again.
        public var isFailedOver = false
        /// Events a second over about the last second.
        public var eventsPerSecond = 0.0
        /// Events a second over about the last 5 seconds.
        public var eventsPer5Seconds = 0.0
        /// Events a second over about the last minute.
        public var eventsPerMinute = 0.0
        /// Errors among events and errors of about the last minute, 0 to 1.
        public var errorRate = 0.0
    }

    /// The connections in the order of their slots, without those that are being removed.
    public var members: [Member] = []
    /// What connections brought that are no members any more.
    public var former = FeedTotals()
    /// The number of symbols wanted.
    public var wanted = 0
    /// The wanted symbols that no connection has room for, the most important first; they are not collected.
    public var unplaced: [Symbol] = []
    /// The number of symbols on their way from one connection to another.
    public var moving = 0
    /// Events left out because another connection had brought them.
    public var duplicates: Int64 = 0
    /// Events that were forgotten while a connection that is up still owed its copy, because too many were remembered;
    /// that connection is opened again.
    public var forgotten: Int64 = 0

    /// Makes the snapshot of a set without connections.
    public init() {}

    /// The connections that are up.
    public var connected: Int { members.count { $0.feed.status == .connected } }
}

/// What connections have brought, in sum.
public struct FeedTotals: Sendable, Equatable {
    /// Events handed over and taken.
    public var events: Int64 = 0
    /// Connections lost or refused, errors that the feed reported, and events that could not be decoded.
    public var errors: Int64 = 0

    /// Adds what a connection brought.
    mutating func add(_ feed: FeedSnapshot) {
        events += feed.events.values.reduce(0, +)
        errors += feed.errors + Int64(feed.rejects.total)
    }
}

/// A symbol that changes its connection.
public struct SetMove: Sendable, Equatable {
    /// The symbol.
    public var symbol: Symbol
    /// The id of the connection that had it.
    public var from: String
    /// The id of the connection that gets it.
    public var to: String
}
