public import FeedServer
public import MarketData

/// How a simulated feed listens, what it sends, how fast, and what it does wrong on request.
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

    /// A frame that somebody else writes.
    public struct Frame: Sendable {
        /// The JSON array of its events.
        public var text: [UInt8]
        /// When it was sent, in milliseconds since the Unix epoch; never less than the frame's before it.
        public var time: Int64
    }

    /// How fast the source's time passes.
    public enum Pace: Sendable, Equatable {
        /// As fast as the clients read.
        case flatOut
        /// So many times as fast as the events' own time: 1 is as recorded.
        case speed(Double)
    }

    /// When the replay starts.
    public enum Start: Sendable, Equatable {
        /// As soon as one client has subscribed to something.
        case firstSubscription
        /// As soon as so many clients have subscribed to something.
        case subscriptions(clients: Int)
        /// At once, heard or not.
        case immediately
    }

    /// What happens to the replay while no client is receiving.
    public enum Absence: Sendable, Equatable {
        /// It goes on, and the frames are missed, as on a live feed.
        case misses
        /// It pauses, and goes on with the first frame that was not sent.
        ///
        /// A frame counts as sent when it was handed to the client's socket: what was on its way when a *client* broke
        /// the connection (or when the fault `reset-every` did) is lost; after the fault `drop-every`, a stall or a
        /// close code nothing is.
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
    /// The only key that is let in; `nil` lets every key in.
    public var apiKey: Secret?
    /// How many logins with one key may be in force at once; one more pushes the oldest out. `nil` sets no limit.
    public var connectionLimit: Int?
    var source: Source
    /// How fast it is sent.
    public var pace: Pace = .flatOut
    /// When the replay starts.
    public var startsWith: Start = .firstSubscription
    /// How long the subscriptions must have been unchanged before the replay starts or goes on after a pause.
    ///
    /// A client may subscribe in several messages; without this time the first ones' events would be sent before the
    /// last ones are there.
    public var settleTime: Duration = .milliseconds(150)
    /// What happens while no client is receiving; `nil` means ``Absence/pauses`` flat out and else ``Absence/misses``.
    public var absence: Absence?
    /// What happens to a client that reads too slowly.
    public var slowClients: SlowClients = .slowDownReplay
    /// How many bytes may wait for one client before it counts as slow.
    public var outboundLimitBytes = 4 << 20
    /// Whether ``FeedSimulator/run()`` returns at the replay's end; else the connections stay open and idle.
    public var exitsWhenDone = false
    /// How long a client has for its login before it gets `auth_timeout`.
    var loginTimeout: Duration = .seconds(30)
    /// How often the server pings its clients.
    var pingInterval: Duration = .seconds(20)
    /// How long a client has to answer a close before the socket is closed under it.
    public var closeTimeout: Duration = .seconds(5)
    /// Whether the bars that have passed are served as REST aggregates too, on the same port.
    public var servesAggregates = false
    /// Whether the trades and quotes that have passed are served as the REST API does; they stay in memory.
    public var servesTicks = false
    /// Whether the REST API's trades and quotes are refused, as to a key whose plan lacks them.
    public var refusesTicks = false
    /// So many requests for aggregates are answered with HTTP 429 before one is served.
    public var aggregateRefusals = 0
    /// What is done wrong on request.
    public var faults: [Fault] = []

    /// Makes the configuration of a feed that sends `source` on a free port of the loopback.
    public init(source: Source) {
        self.source = source
    }

    /// What happens while no client is receiving, with the default filled in.
    var absenceInEffect: Absence { absence ?? (pace == .flatOut ? .pauses : .misses) }

    /// The limit of logins, from the setting or the fault of that name, whichever is lower.
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
