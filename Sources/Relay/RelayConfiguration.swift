public import FeedServer
public import MarketData

/// How the relay listens, who may read, and how much a reader may use.
public struct RelayConfiguration: Sendable {
    /// How the server listens, and how long it waits for its readers.
    public var server = FeedServerConfiguration()
    /// The keys accepted at the start; without any, every key is accepted.
    public var keys: [Secret] = []
    /// The maximum number of readers at once; one more gets `max_connections`.
    public var maximumClients = 64
    /// How many bytes may be queued for one reader; beyond that it gets `slow_consumer`.
    public var clientBufferBytes = 16 << 20
    /// How many bytes may be queued for all readers together; beyond that, the readers with the most queued are closed.
    var allClientsBufferBytes = 256 << 20
    /// The kinds of events that are collected.
    public var kinds: Set<EventKind> = Set(EventKind.allCases)
    /// How long readers have at the end to read what is queued for them.
    var goodbye: Duration = .seconds(2)
    /// How many bytes of events may be queued for the relay's own thread; beyond that, its readers are closed.
    public var queueBytes = 64 << 20
    /// How many symbols may be collected because readers ask for them; `nil` if none may be.
    public var maximumOnDemand: Int?
    /// The maximum number of channels of one reader.
    var maximumChannels = 100_000

    /// Makes the configuration of a relay on a free port of the loopback interface.
    public init() {
        server.loginTimeout = .seconds(10)
        server.refusalDelay = .seconds(1)
        // The burst is enough for all the channels that a reader may have; the rate is that of an ordinary program.
        server.requestAllowance = .init(burstBytes: 1 << 20, bytesPerSecond: 64 << 10)
        server.offersReplays = true
        // A response may hold 50,000 bars in memory.
        server.maximumAnswers = 4
    }

    /// The server's configuration, with what follows from the relay's own.
    var serverInEffect: FeedServerConfiguration {
        var server = server
        server.silenceLimit = server.pingInterval * 3
        server.maximumBacklogBytes = clientBufferBytes
        server.maximumSockets = maximumClients + 32
        return server
    }

    /// Checks that the address can be listened on and that the TLS files are valid; leaves nothing open.
    public func check() async throws(FeedServerError) { try await FeedServer.check(serverInEffect) }
}
