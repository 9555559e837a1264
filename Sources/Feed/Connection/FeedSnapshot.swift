public import MarketData

/// A connection's state in one word.
public enum FeedConnectionStatus: String, Sendable, Equatable, CaseIterable, Codable {
    /// Not connected: not started, stopped, or waiting for the next try.
    case disconnected
    /// Opening the connection, logging in or subscribing.
    case connecting
    /// Logged in and subscribed.
    case connected
    /// Something requires attention: the key, the account's limit, the certificate, too many failures. Tries continue.
    case error
}

/// The state and counters of a feed connection: a copy from memory, at most one socket read old.
public struct FeedSnapshot: Sendable, Equatable {
    /// The connection's name.
    public var name: String
    /// The state in one word.
    public var status: FeedConnectionStatus = .disconnected
    /// Whether it is logged in and subscribed, even if the feed confirms nothing any more.
    var isUp = false
    /// Whether the connection subscribes to all symbols; ``assigned`` is empty then.
    public var takesAll = false
    /// The symbols that the connection should deliver, in the order given.
    public var assigned: [Symbol] = []
    /// The symbols with every channel confirmed; updated when a round of subscriptions ends.
    public var confirmed: [Symbol] = []
    /// The symbols with a channel that the account's plan does not cover.
    public var refused: [Symbol] = []
    /// The number of channels wanted: symbols times kinds of events, or one for each kind.
    public var channels = 0
    /// The number of confirmed channels; always up to date.
    public var confirmedChannels = 0
    /// The number of confirmed channels of each kind; updated when a round of subscriptions ends.
    public var confirmedKinds: [EventKind: Int] = [:]
    /// Whether the feed has confirmed or refused every channel of the current symbols, or the unanswered ones were reported.
    public var isSettled = false
    /// Whether the feed has confirmed the end of every subscription that was given up, so that no such events come.
    var isQuiet = true
    /// The refused channels as the feed writes them, `T.AAPL`, sorted.
    public var refusedChannels: [String] = []

    /// Text messages read.
    public var frames: Int64 = 0
    /// Bytes of text messages read.
    public var bytes: Int64 = 0
    /// Events handed over and accepted, by kind.
    public var events: [EventKind: Int64] = [:]
    /// Events decoded but lost because the buffer had no room; a gap says when.
    public var overflowed: Int64 = 0
    /// Binary messages that were skipped; the feed does not use them.
    public var binaryFrames: Int64 = 0
    /// Events and fields that could not be decoded since the start.
    public var rejects = DecodeRejects()
    /// How often a connection was opened again after one ended.
    public var reconnects: Int64 = 0
    /// Connections lost or refused, and errors that the feed reported.
    public var errors: Int64 = 0

    /// When anything was last read, in milliseconds since the Unix epoch.
    public var lastMessage: Int64?
    /// When the newest events were read, in milliseconds since the Unix epoch.
    public var lastEvent: Int64?
    /// When the subscription was confirmed, in milliseconds since the Unix epoch; `nil` while it is not.
    public var connectedSince: Int64?
    /// When the subscription was confirmed, or the newest events after that were read, on a clock that nobody sets; `nil`
    /// while it is not confirmed.
    public var silentSince: ContinuousClock.Instant?
    /// The newest failure.
    public var lastError: FeedError?
    /// When ``lastError`` happened, in milliseconds since the Unix epoch.
    public var lastErrorTime: Int64?
    /// How old the newest event of the last read was when read, in milliseconds; a bar's age counts from its end.
    public var latency: Int64?
    /// Whether reading is paused because the buffer is nearly full.
    public var isPaused = false

    /// Makes the snapshot of a connection that has done nothing yet.
    public init(name: String) { self.name = name }

    /// Events of all kinds, handed over and accepted.
    public var eventCount: Int64 { events.values.reduce(0, +) }
    /// Connections lost or refused, errors that the feed reported, and events that could not be decoded.
    public var errorCount: Int64 { errors + Int64(rejects.total) }
}
