public import MarketData

/// How one feed connection connects, logs in, watches the connection and reconnects.
///
/// The durations have defaults that suit the feed; tests and unusual networks change them.
public struct FeedConfiguration: Sendable {
    /// The connection's name, in logs, batches and gaps.
    public var name: String
    /// Where the feed is.
    public var endpoint: FeedEndpoint
    /// The account's key, sent as the login.
    public var apiKey: Secret
    /// The name of the key's setting, for messages that say what to correct.
    var apiKeyName = "MASSIVE_API_KEY"
    /// The kinds of events to subscribe to.
    public var events: Set<EventKind>
    /// A PEM file of certificates to trust besides the system's, for a private authority. It is read again after each
    /// certificate failure, so that a corrected file needs no restart.
    public var caFile: String?
    /// The proxy to reach the feed through; `nil` for a direct connection.
    public var proxy: HTTPProxy?
    /// How many connections this process opens with the key; it may be more than the account allows.
    public var companions = 1

    /// How far the previous collector got; everything since then is recorded as a gap.
    public var previousLife: PreviousLife?
    /// How late the feed's events are, in milliseconds: 15 minutes on the delayed feed.
    public var feedDelay: Int64 = 0

    /// The longest message, in bytes, whether in one frame or in fragments; a longer one ends the connection.
    public var maximumFrameBytes = 16 << 20
    /// The longest message that is sent, in bytes; the feed accepts only messages below 16 KiB.
    public var maximumRequestBytes = 16_000
    /// How many bytes of decoded events are gathered within one read before they are handed over. Small enough that the
    /// allocator keeps the memory for the next batch; a large block would be mapped and cleared each time.
    public var handOverBytes = 192 << 10

    /// Time for name look-up, TCP, TLS and WebSocket handshake together.
    public var connectTimeout: Duration = .seconds(10)
    /// Time from the open WebSocket to the reply to the login; the feed itself allows 30 s.
    public var loginTimeout: Duration = .seconds(20)
    /// Time without a further confirmation until unconfirmed channels are requested again.
    public var confirmTimeout: Duration = .seconds(10)
    /// Time between later requests for channels that stay unconfirmed.
    var unconfirmedRetry: Duration = .seconds(300)
    /// Silence after which a ping is sent, and the time between further pings.
    public var pingInterval: Duration = .seconds(15)
    /// Silence, with pings unanswered, after which the connection counts as lost.
    public var stallTimeout: Duration = .seconds(60)
    /// Time for the peer to reply to a close frame.
    public var closeTimeout: Duration = .seconds(2)

    /// How long to wait before trying again.
    public var reconnect = ReconnectRules()

    /// Makes a configuration with the default durations.
    public init(
        name: String, endpoint: FeedEndpoint, apiKey: Secret, events: Set<EventKind> = [.minuteBar],
        caFile: String? = nil
    ) {
        self.name = name
        self.endpoint = endpoint
        self.apiKey = apiKey
        self.events = events
        self.caFile = caFile
    }
}
