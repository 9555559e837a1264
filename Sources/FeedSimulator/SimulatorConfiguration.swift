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

    /// When the replay starts.
    public enum Start: Sendable, Equatable {
        /// As soon as one client has subscribed to something.
        case firstSubscription
        /// As soon as this many clients have subscribed to something.
        case subscriptions(clients: Int)
        /// At once, whether or not a client listens.
        case immediately
    }

    /// What happens to the replay while no client is receiving.
    public enum Absence: Sendable, Equatable {
        /// It goes on, and the frames are missed, as on a live feed.
        case misses
        /// It pauses, and goes on with the first frame that was not sent.
        ///
        /// A frame counts as sent once it was handed to the client's socket. If a *client* breaks the connection, or
        /// the fault `reset-every` does, data in flight is lost. After the fault `drop-every`, a stall or a close code,
        /// nothing is lost.
        case pauses
    }

    /// What happens to a client that reads more slowly than the replay sends.
    public enum SlowClients: Sendable, Equatable {
        /// The replay waits for it, and so do the other clients; nothing is lost.
        case slowDownReplay
        /// It gets `slow_consumer` and is closed, as the real feed does.
        case areDropped
    }

    /// The address to listen on.
    public var host = "127.0.0.1"
    /// The port to listen on; 0 lets the system choose a free one.
    public var port = 0
    /// Serves TLS with these files; `nil` serves plain text.
    public var tls: FeedServerConfiguration.TLSFiles?
    /// The only key that is accepted; `nil` accepts every key.
    public var apiKey: Secret?
    /// The maximum number of logins with one key at a time; a further one pushes out the oldest. `nil` sets no limit.
    public var connectionLimit: Int?
    var source: Source
    /// How fast it is sent.
    public var pace: Pace = .flatOut
    /// When the replay starts.
    public var startsWith: Start = .firstSubscription
    /// How long the subscriptions must stay unchanged before the replay starts, or resumes after a pause.
    ///
    /// A client may subscribe in several messages. Without this time, events of the first ones would be sent before the
    /// last ones have arrived.
    public var settleTime: Duration = .milliseconds(150)
    /// What happens while no client is receiving; `nil` means ``Absence/pauses`` at full speed, otherwise
    /// ``Absence/misses``.
    public var absence: Absence?
    /// What happens to a client that reads too slowly.
    public var slowClients: SlowClients = .slowDownReplay
    /// How many bytes may wait for one client before it counts as slow.
    public var outboundLimitBytes = 4 << 20
    /// Whether ``FeedSimulator/run()`` returns when the replay ends; otherwise the connections stay open and idle.
    public var exitsWhenDone = false
    /// How long a client has for its login before it gets `auth_timeout`.
    var loginTimeout: Duration = .seconds(30)
    /// How often the server pings its clients.
    var pingInterval: Duration = .seconds(20)
    /// How long a client may take to answer a close message before its socket is closed.
    public var closeTimeout: Duration = .seconds(5)
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

    /// Makes the configuration of a feed that sends `source` on a free port of the loopback.
    public init(source: Source) {
        self.source = source
    }

    /// What happens while no client is receiving, with the default filled in.
    var absenceInEffect: Absence { absence ?? (pace == .flatOut ? .pauses : .misses) }

    /// The limit of logins with one key: that of the setting or of the fault `connection-limit`, whichever is lower.
    var connectionLimitInEffect: Int? {
        var limit = connectionLimit
        for case .connectionLimit(let count) in faults { limit = min(limit ?? count, count) }
        return limit
    }

    /// How the server listens.
    var server: FeedServerConfiguration {
        var server = FeedServerConfiguration()
        server.host = host
        server.port = port
        server.tls = tls
        server.loginTimeout = loginTimeout
        server.pingInterval = pingInterval
        server.closeTimeout = closeTimeout
        server.maximumBacklogBytes = 2 * outboundLimitBytes + (32 << 20)
        return server
    }
}
