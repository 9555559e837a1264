public import Feed
public import MarketData

/// One feed connection: its own state, what it collects and why.
public struct ConnectionState: Sendable, Equatable {
    /// The set's view of the connection.
    public var member: SetSnapshot.Member
    /// What it collects and why; `nil` for a moment while it is added or removed.
    public var assignment: SymbolAssignment?
    /// How long it has delivered no event although it is subscribed to something and New York's regular session is open,
    /// in seconds; `nil` otherwise.
    public var quietFor: Double?
    /// The kinds of which nothing arrives although other events prove that there must be some: see ``KindWatch``.
    public var silentKinds: [EventKind] = []

    /// Makes a connection's state, from memory.
    ///
    /// - Parameters:
    ///   - time: Milliseconds since the Unix epoch.
    ///   - now: The same moment on a clock that nobody sets.
    ///   - feedDelay: How late the feed's events are under its plan, in seconds.
    public init(
        _ member: SetSnapshot.Member, assignment: SymbolAssignment? = nil, at time: Int64,
        now: ContinuousClock.Instant = .now, feedDelay: Double = 0
    ) {
        self.member = member
        self.assignment = assignment
        // Kinds that may not come for hours, such as the imbalances of auctions, don't make a connection quiet.
        let kinds = member.feed.confirmedKinds
        guard hasWork, kinds.isEmpty || KindWatch.kinds.contains(where: { kinds[$0] != nil }) else { return }
        quietFor = Self.quiet(at: time, silence: member.feed.silentSince.map { now - $0 }, feedDelay: feedDelay)
    }

    /// `connection_1` and so on.
    public var id: String { member.id }
    /// The connection's own state.
    public var feed: FeedSnapshot {
        get { member.feed }
        set { member.feed = newValue }
    }
    /// The connection's name (`WEBSOCKET_CONNECTION_n_NAME`), as in ``MarketData/EventBatch/connection``.
    public var name: String { member.feed.name }
    /// The state in one word.
    public var status: FeedConnectionStatus { member.feed.status }

    /// Events of all kinds.
    public var messageCount: Int64 { feed.eventCount }
    /// Events that could not be decoded, for whatever reason.
    public var rejectCount: Int64 { Int64(feed.rejects.total) }
    /// Connections lost or refused, errors that the feed reported, and events that could not be decoded.
    public var errorCount: Int64 { feed.errorCount }
    /// Whether the connection has anything to collect.
    var hasWork: Bool { feed.takesAll || !feed.assigned.isEmpty }

    /// Returns the seconds of the regular session in which a subscribed connection delivered nothing; `nil` outside the
    /// session. The silence is measured, since a clock that was set back would hide it for as long.
    ///
    /// - Parameters:
    ///   - time: Milliseconds since the Unix epoch.
    ///   - silence: The time since the subscription or the newest event; `nil` if there is no subscription.
    static func quiet(at time: Int64, silence: Duration?, feedDelay: Double = 0) -> Double? {
        guard let silence, let session = TradingDay(at: time).session,
            session.regularOpen <= time, time < session.regularClose
        else { return nil }
        // A delayed feed's first events of the session come that much after the opening.
        let firstEvents = session.regularOpen + Int64(feedDelay * 1000)
        return max(0, min(silence.inSeconds, Double(time - firstEvents) / 1000))
    }
}

extension DecodeRejects {
    /// An example of an event of a kind that can't be decoded or lacks a field, with secrets masked.
    public func sample(of kind: EventKind?) -> String? {
        (events.sample(of: kind) ?? fields.sample(of: kind))?.description
    }
}
