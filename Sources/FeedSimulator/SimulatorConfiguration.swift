public import FeedServer
public import MarketData

/// How a simulated feed listens, what it sends and how fast, and which faults it shows.
public struct SimulatorConfiguration: Sendable {
    /// What is sent.
    public enum Source: Sendable {
        /// Recorded frames.
        case captures(CaptureReplay)
        /// A random walk.
        case synthetic(SyntheticFeed)
        /// The frames that a function returns for 0, 1, 2, …, until it returns `nil`.
        case frames(@Sendable (Int) -> Frame?)
    }

    /// A frame written by the caller.
    public struct Frame: Sendable {
        /// The JSON array of its events.
        public var text: [UInt8]
        /// When it was sent, in milliseconds since the Unix epoch; never earlier than the frame before it.
        public var time: Int64
    }

    /// How fast the source's time passes.
    public enum Pace: Sendable, Equatable {
        /// As fast as the clients read.
        case flatOut
        /// This many times as fast as the events' own times; 1 is as recorded.
        case speed(Double)
    }

    /// What happens to the replay while no client is receiving.
    public enum Absence: Sendable, Equatable {
        /// It continues, and the frames are missed, as on a live feed.
        case misses
        /// It pauses, and continues with the first frame that was not sent.
        ///
        /// A frame counts as sent once it was handed to the client's socket. If a *client* breaks the connection, or
        /// the fault `reset-every` does, data in flight is lost. After the fault `drop-every`, a stall or a close code,
        /// nothing is lost.
        case pauses
    }

    /// How the server listens, and how long it waits for its clients.
    public var server = FeedServerConfiguration()
    /// The only key that is accepted; `nil` accepts every key.
    public var apiKey: Secret?
    /// The maximum number of logins with one key at a time; a further one pushes out the oldest. `nil` sets no limit.
    public var connectionLimit: Int?
    var source: Source
    /// How fast it is sent.
    public var pace: Pace = .flatOut
    /// How many clients must have subscribed to something before the replay starts; 0 starts it at once.
    public var startingClients = 1
    /// How long the subscriptions must stay unchanged before the replay starts, or resumes after a pause.
    ///
    /// A client may subscribe in several messages. Without this time, events of the first ones would be sent before the
    /// last ones have arrived.
    public var settleTime: Duration = .milliseconds(150)
    /// What happens while no client is receiving; `nil` means ``Absence/pauses`` at full speed, otherwise
    /// ``Absence/misses``.
    public var absence: Absence?
    /// Whether a client that reads too slowly gets `slow_consumer` and is closed, as by the real feed; otherwise the
    /// replay waits for it, and so do the other clients, and nothing is lost.
    public var dropsSlowClients = false
    /// How many bytes may wait for one client before it counts as slow.
    public var outboundLimitBytes = 4 << 20
    /// Whether ``FeedSimulator/run()`` returns when the replay ends; otherwise the connections stay open and idle.
    public var exitsWhenDone = false
    /// Whether the bars that have passed are served as REST aggregates too, on the same port.
    public var servesAggregates = false
    /// Whether the trades and quotes that have passed are also served in the form of the REST API; they stay in memory.
    public var servesTicks = false
    /// Whether REST requests for trades and quotes are refused, as for a key whose plan doesn't include them.
    public var refusesTicks = false
    /// The number of REST requests, for aggregates or ticks, that get HTTP 429 before one is served.
    public var aggregateRefusals = 0
    /// The faults that the feed shows.
    public var faults: [Fault] = []

    /// Makes the configuration of a feed that sends `source` on a free port of the loopback interface.
    public init(source: Source) { self.source = source }

    /// Whether a key that a client sent, or none, is accepted.
    func admits(_ key: String?) -> Bool { apiKey.map { key.map($0.matches) ?? false } ?? true }

    /// What happens while no client is receiving, with the default filled in.
    var absenceInEffect: Absence { absence ?? (pace == .flatOut ? .pauses : .misses) }

    /// The limit of logins with one key: that of the setting or of the fault `connection-limit`, whichever is lower.
    var connectionLimitInEffect: Int? {
        var limit = connectionLimit
        for case .connectionLimit(let count) in faults { limit = min(limit ?? count, count) }
        return limit
    }
}
