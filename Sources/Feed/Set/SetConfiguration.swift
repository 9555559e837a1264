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
