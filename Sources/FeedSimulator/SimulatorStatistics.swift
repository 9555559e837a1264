public import MarketData

/// The simulator's counts so far.
public struct SimulatorStatistics: Sendable, Equatable {
    /// Where the replay is.
    public enum Phase: String, Sendable, Equatable {
        /// Not started: nobody has subscribed yet.
        case waiting
        /// Sending.
        case replaying
        /// The source's last frame has been handed to the clients' sockets.
        case done
    }

    /// Connections accepted since the start.
    public var connections = 0
    /// Connections open now.
    var clients = 0
    /// Logins in force now.
    var loggedIn = 0
    /// Logins answered with `auth_failed` since the start.
    public var loginsRefused = 0
    /// Logins pushed out by the connection limit since the start.
    public var pushedOut = 0
    /// Channels subscribed to now, over all connections.
    public var subscriptions = 0
    /// Frames of the source sent, over all connections; a frame cut by a filter counts as one.
    public var frames = 0
    /// Bytes sent, WebSocket headers included.
    public var bytes = 0
    /// Events sent, by kind, over all connections.
    public var events: [EventKind: Int] = [:]
    /// Events sent that no channel of the feed covers.
    var otherEvents = 0
    /// Frames that passed while no client was receiving.
    public var missedFrames = 0
    /// Status messages found in captures, and left out.
    var skippedStatuses = 0
    /// Clients closed because they read too slowly.
    public var slowConsumers = 0
    /// REST requests answered since the start, for aggregates or ticks, including those refused.
    public var aggregateRequests = 0
    /// Faults carried out, by ``Fault/name``.
    public var faults: [String: Int] = [:]
    /// The number of frames taken from the source, whether sent, filtered out or missed.
    public var passedFrames = 0
    /// The last such frame's time, in milliseconds since the Unix epoch; `nil` before the first.
    var eventTime: Int64?
    /// Where the replay is.
    public var phase = Phase.waiting

    /// The number of events sent, of all kinds.
    public var eventsSent: Int { events.values.reduce(otherEvents, +) }

    /// What else was counted, a line each; without what did not happen.
    public var remarks: [String] {
        let counts = [
            ("frames taken from the source", passedFrames),
            ("frames passed while no client was receiving", missedFrames),
            ("status messages of captures left out", skippedStatuses),
            ("logins refused", loginsRefused),
            ("logins ended by the connection limit", pushedOut),
            ("clients closed because they read too slowly", slowConsumers),
            ("REST requests answered", aggregateRequests),
        ]
        let all = counts + faults.sorted { $0.key < $1.key }.map { ("fault \($0.key)", $0.value) }
        return all.filter { $0.1 > 0 }.map { "\($0.0): \($0.1)" }
    }
}
