import Feed
public import MarketData

/// A connection's state in one word.
public enum ConnectionStatus: String, Sendable, Hashable, CaseIterable {
    /// Not connected: not started, stopped, or waiting for the next try.
    case disconnected
    /// Opening the connection, logging in or subscribing.
    case connecting
    /// Logged in and subscribed.
    case connected
    /// Something needs a person, or too many tries failed in a row; tries go on.
    case error
}

/// What is known of one feed connection.
public struct ConnectionState: Sendable, Equatable {
    /// `connection_1` and so on.
    public var id: String
    /// The connection's name (`WEBSOCKET_CONNECTION_n_NAME`), as ``MarketData/EventBatch/connection`` has it.
    public var name: String
    /// The state in one word.
    public var status: ConnectionStatus
    /// Whether the connection subscribes to all symbols; ``assigned`` is 0 then.
    public var takesAll = false
    /// The number of symbols that the connection is to bring.
    public var assigned = 0
    /// The number of symbols whose every channel stands.
    public var confirmed = 0
    /// The number of symbols that the account's plan does not cover.
    public var refused = 0
    /// What the connection is to collect and why; `nil` in the moment in which it is added or removed.
    public var assignment: SymbolAssignment?
    /// The connection's priority; `nil` when not set.
    public var priority: Int?

    /// Events taken, by kind.
    public var events: [EventKind: Int64] = [:]
    /// Text messages read.
    public var frames: Int64 = 0
    /// Bytes of text messages read.
    public var bytes: Int64 = 0
    /// Binary messages, which the feed has no use for, skipped.
    public var binaryFrames: Int64 = 0
    /// Events lost because the buffer had no room.
    public var overflowed: Int64 = 0
    /// Events that could not be decoded, by reason.
    public var rejects: [String: Int64] = [:]
    /// Events that could not be decoded, by kind; `nil` for what names none.
    public var rejectedEvents: [EventKind?: Int64] = [:]
    /// Optional fields that were left out of events because of their form, by the event's kind.
    public var leftOutFields: [EventKind?: Int64] = [:]
    /// What events that can't be decoded, or lack a field, look like, with secrets masked; by kind.
    public var decodeSamples: [EventKind?: String] = [:]
    /// How often a connection was opened again.
    public var reconnects: Int64 = 0
    /// Connections lost or refused, and errors that the feed reported.
    public var errors: Int64 = 0

    /// When anything was last read, in milliseconds since the Unix epoch.
    public var lastMessage: Int64?
    /// When the newest events were taken, in milliseconds since the Unix epoch.
    public var lastEvent: Int64?
    /// How long the connection has brought no event although it is subscribed and New York's regular session is on, in
    /// seconds; `nil` otherwise.
    public var quietFor: Double?
    /// When the subscription came to stand, in milliseconds since the Unix epoch; `nil` while it does not.
    public var connectedSince: Int64?
    /// The newest failure, in one line.
    public var lastError: String?
    /// When ``lastError`` happened, in milliseconds since the Unix epoch.
    public var lastErrorTime: Int64?
    /// How old the newest event of the last read was, in milliseconds.
    public var latency: Int64?
    /// Whether reading is paused because the buffer is nearly full.
    public var isPaused = false

    /// Makes the state of a connection that did nothing yet.
    public init(id: String, name: String, status: ConnectionStatus = .disconnected) {
        self.id = id
        self.name = name
        self.status = status
    }

    /// Events of all kinds.
    public var messageCount: Int64 { events.values.reduce(0, +) }
    /// Events that could not be decoded, for whatever reason.
    public var rejectCount: Int64 { rejects.values.reduce(0, +) }
    /// Whether the connection is meant to bring anything.
    public var hasWork: Bool { takesAll || assigned > 0 }
}

extension ConnectionState {
    /// A connection's state, from memory.
    ///
    /// - Parameter time: Milliseconds since the Unix epoch.
    init(_ member: SetSnapshot.Member, assignment: SymbolAssignment?, at time: Int64) {
        let feed = member.feed
        self.init(
            id: member.id, name: feed.name, status: ConnectionStatus(rawValue: feed.status.rawValue) ?? .error)
        takesAll = feed.takesAll
        assigned = feed.assigned.count
        confirmed = feed.confirmed.count
        refused = feed.refused.count
        self.assignment = assignment
        priority = member.priority
        events = feed.events
        frames = feed.frames
        bytes = feed.bytes
        binaryFrames = feed.binaryFrames
        overflowed = feed.overflowed
        for reason in DecodeRejects.Reason.allCases where feed.rejects[reason] > 0 {
            rejects[reason.rawValue] = Int64(feed.rejects[reason])
        }
        for kind in DecodeRejects.kinds {
            let (events, fields) = (feed.rejects.events, feed.rejects.fields)
            if events[kind] > 0 { rejectedEvents[kind] = Int64(events[kind]) }
            if fields[kind] > 0 { leftOutFields[kind] = Int64(fields[kind]) }
            decodeSamples[kind] = (events.sample(of: kind) ?? fields.sample(of: kind))?.description
        }
        reconnects = feed.reconnects
        errors = feed.errors
        lastMessage = feed.lastMessage
        lastEvent = feed.lastEvent
        connectedSince = feed.connectedSince
        quietFor = Self.quiet(at: time, connectedSince: connectedSince, lastEvent: lastEvent)
        lastError = feed.lastError?.description
        lastErrorTime = feed.lastErrorTime
        latency = feed.latency
        isPaused = feed.isPaused
    }

    /// Seconds of the regular session in which a subscribed connection brought nothing; `nil` outside of it. All times
    /// are milliseconds since the Unix epoch.
    static func quiet(at time: Int64, connectedSince: Int64?, lastEvent: Int64?) -> Double? {
        guard let connectedSince, let session = TradingCalendar.session(at: time),
            session.regularOpen <= time, time < session.regularClose
        else { return nil }
        return Double(max(0, time - max(session.regularOpen, connectedSince, lastEvent ?? 0))) / 1000
    }
}
