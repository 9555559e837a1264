public import Feed
public import MarketData

/// One feed connection: what it knows of itself, what it is to collect and why.
public struct ConnectionState: Sendable, Equatable {
    /// What the set knows of it.
    public var member: SetSnapshot.Member
    /// What it is to collect and why; `nil` in the moment in which it is added or removed.
    public var assignment: SymbolAssignment?
    /// How long it has brought no event although it is subscribed and New York's regular session is on, in seconds; `nil`
    /// otherwise.
    public var quietFor: Double?
    /// The same of each kind that came before.
    var quietKinds: [EventKind: Double] = [:]

    /// A connection's state, from memory.
    ///
    /// - Parameter time: Milliseconds since the Unix epoch.
    public init(_ member: SetSnapshot.Member, assignment: SymbolAssignment? = nil, at time: Int64) {
        self.member = member
        self.assignment = assignment
        func quiet(_ lastEvent: Int64?) -> Double? {
            Self.quiet(at: time, connectedSince: member.feed.connectedSince, lastEvent: lastEvent)
        }
        quietFor = quiet(member.feed.lastEvent)
        quietKinds = member.feed.lastEvents.compactMapValues(quiet)
    }

    /// `connection_1` and so on.
    public var id: String { member.id }
    /// What the connection knows of itself.
    public var feed: FeedSnapshot {
        get { member.feed }
        set { member.feed = newValue }
    }
    /// The connection's name (`WEBSOCKET_CONNECTION_n_NAME`), as ``MarketData/EventBatch/connection`` has it.
    public var name: String { member.feed.name }
    /// The state in one word.
    public var status: FeedConnectionStatus { member.feed.status }

    /// Events of all kinds.
    public var messageCount: Int64 { feed.events.values.reduce(0, +) }
    /// Events that could not be decoded, for whatever reason.
    public var rejectCount: Int64 { Int64(feed.rejects.total) }
    /// Whether the connection is meant to bring anything.
    var hasWork: Bool { feed.takesAll || !feed.assigned.isEmpty }

    /// Seconds of the regular session in which a subscribed connection brought nothing; `nil` outside of it. All times
    /// are milliseconds since the Unix epoch.
    static func quiet(at time: Int64, connectedSince: Int64?, lastEvent: Int64?) -> Double? {
        guard let connectedSince, let session = TradingCalendar.session(at: time),
            session.regularOpen <= time, time < session.regularClose
        else { return nil }
        return Double(max(0, time - max(session.regularOpen, connectedSince, lastEvent ?? 0))) / 1000
    }
}

extension DecodeRejects {
    /// What events of a kind that can't be decoded, or lack a field, look like, with secrets masked.
    public func sample(of kind: EventKind?) -> String? {
        (events.sample(of: kind) ?? fields.sample(of: kind))?.description
    }
}
