public import FeedServer
public import MarketData

/// How the relay listens, who may read, and how much a reader may use.
public struct RelayConfiguration: Sendable {
    /// The address to listen on.
    public var host = "127.0.0.1"
    /// The port to listen on; 0 lets the system choose a free one.
    public var port = 0
    /// The keys accepted at the start; without any, every key is accepted.
    public var keys: [Secret] = []
    /// Serves TLS with these files; `nil` serves plain text.
    public var tls: FeedServerConfiguration.TLSFiles?
    /// The most readers at once; one more gets `max_connections`.
    public var maximumClients = 64
    /// How many bytes may wait for one reader; beyond that it gets `slow_consumer`.
    public var clientBufferBytes = 16 << 20
    /// How long a reader has for its login.
    var loginTimeout: Duration = .seconds(10)
    /// How many bytes may wait for all readers together; beyond that, the readers with the most waiting are closed.
    var allClientsBufferBytes = 256 << 20
    /// How often readers are pinged; one that gives no sign of life for three times as long is closed.
    var pingInterval: Duration = .seconds(20)
    /// The kinds of events that are collected.
    public var kinds: Set<EventKind> = Set(EventKind.allCases)
    /// How long readers have at the end to read what waits for them.
    var goodbye: Duration = .seconds(2)
    /// How many bytes of events may wait for the relay's own thread; beyond that, its readers are closed.
    public var queueBytes = 64 << 20
    /// How many symbols may be collected because readers ask for them; `nil` if none may be.
    public var maximumOnDemand: Int?
    /// The most channels of one reader.
    var maximumChannels = 100_000
    /// How much a reader may request: at once, enough for all the channels that it may have; then the rate of an
    /// ordinary program.
    var requests = FeedServerConfiguration.Allowance(burstBytes: 1 << 20, bytesPerSecond: 64 << 10)

    /// Makes the configuration of a relay on a free port of the loopback.
    public init() {}

    /// How the server listens.
    var server: FeedServerConfiguration {
        var server = FeedServerConfiguration()
        server.host = host
        server.port = port
        server.tls = tls
        server.loginTimeout = loginTimeout
        server.refusalDelay = .seconds(1)
        server.pingInterval = pingInterval
        server.silenceLimit = pingInterval * 3
        server.maximumBacklogBytes = clientBufferBytes
        server.requestAllowance = requests
        server.maximumSockets = maximumClients + 32
        server.offersReplays = true
        // An answer may hold 50,000 bars in memory.
        server.maximumAnswers = 4
        return server
    }

    /// Checks that the address can be listened on and that the TLS files are valid; leaves nothing open.
    public func check() async throws(FeedServerError) { try await FeedServer.check(server) }
}
