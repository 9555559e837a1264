/// The relay's readers, and what was sent to them.
public struct RelayState: Sendable, Equatable {
    /// A program that reads.
    public struct Reader: Sendable, Equatable {
        /// The reader's number, from 1.
        public var id: Int
        /// Its address and port.
        public var address = ""
        /// The name that it gives itself.
        public var agent: String?
        /// Whether its key was accepted.
        public var isLoggedIn = false
        /// When it connected, in milliseconds since the Unix epoch.
        public var connectedSince: Int64
        /// How many channels it has subscribed to.
        public var channels = 0
        /// The first of those channels, by name.
        public var sample: [String] = []
        /// Live events sent.
        public var events: Int64 = 0
        /// Bytes sent.
        public var bytes: Int64 = 0
        /// Events sent out of the buffer.
        public var replayed: Int64 = 0
        /// Bytes that wait to be sent to it, which show how far it is behind.
        public var waitingBytes = 0
        /// Events among those bytes.
        public var waitingEvents = 0
        /// Whether a replay is under way.
        public var isReplaying = false
    }

    /// For how many seconds health reports that events were thrown away.
    static let overflowMemory = 600.0

    /// The address that it listens on.
    public var host: String
    /// The port that it listens on.
    public var port: Int
    /// Whether readers connect over TLS.
    public var isEncrypted: Bool
    /// The most readers at once.
    public var maximumReaders: Int
    /// How many symbols may be collected because readers ask for them; `nil` when none may.
    public var maximumOnDemand: Int?
    /// The symbols that are collected now because readers ask for them.
    public var onDemand = DemandReview()
    /// Channels that a reader asked for and was refused since the start.
    public var channelsRefused: Int64 = 0
    /// Those connected now.
    public var readers: [Reader] = []
    /// Connections since the start.
    public var connections: Int64 = 0
    /// Logins refused since the start.
    public var loginsRefused: Int64 = 0
    /// Readers turned away since the start because the maximum was reached.
    public var turnedAway: Int64 = 0
    /// Sockets without a login closed since the start to make room for others.
    public var crowdedOut: Int64 = 0
    /// Readers closed since the start, because they read too slowly.
    public var slowReaders: Int64 = 0
    /// Live events sent since the start, over all readers.
    public var events: Int64 = 0
    /// Bytes sent since the start.
    public var bytes: Int64 = 0
    /// Replays asked for since the start.
    public var replays: Int64 = 0
    /// Events sent out of the buffer since the start.
    public var replayed: Int64 = 0
    /// Requests for bars answered since the start.
    public var barRequests: Int64 = 0
    /// Events thrown away since the start because the relay's thread fell behind; the readers were closed.
    public var overflowed: Int64 = 0
    /// Seconds since that last happened; `nil` when it never did.
    public var secondsSinceOverflow: Double?
    /// Bytes of events that wait for the relay's thread.
    public var queuedBytes = 0

    /// Makes the state of a relay that nobody has read from yet.
    public init(host: String, port: Int, isEncrypted: Bool, maximumReaders: Int, maximumOnDemand: Int? = nil) {
        self.host = host
        self.port = port
        self.isEncrypted = isEncrypted
        self.maximumReaders = maximumReaders
        self.maximumOnDemand = maximumOnDemand
    }
}

extension RelayState.Reader {
    /// Makes a reader that has just connected.
    public init(id: Int, connectedSince: Int64) { self.init(id: id, agent: nil, connectedSince: connectedSince) }
}
