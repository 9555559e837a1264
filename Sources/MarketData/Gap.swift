/// A span of time in which events of some symbols may have been missed.
public struct Gap: Sendable, Equatable {
    /// What interrupted the stream.
    public enum Cause: String, Sendable, CaseIterable {
        /// The connection was closed or lost.
        case disconnected
        /// The connection was open and silent for too long.
        case stalled
        /// The buffer had no room and the connection was dropped.
        case overflow
        /// The collector's process was not running, or was stopped.
        case down
        /// The symbol was not subscribed: refused, or moved.
        case unsubscribed
        /// The events were in a damaged part of the buffer's file.
        case damaged
    }

    /// The connection that missed the events.
    public var connection: String
    /// The symbols missed; empty when the connection subscribes to all.
    public var symbols: [Symbol]
    /// The kinds of events missed.
    public var events: [EventKind]
    /// When the last event came before the interruption, in milliseconds since the Unix epoch.
    public var from: Int64
    /// When the subscription stood again, in milliseconds since the Unix epoch.
    public var to: Int64
    /// What interrupted the stream.
    public var cause: Cause

    /// Makes a gap; see the properties for meaning and units.
    public init(
        connection: String, symbols: [Symbol], events: [EventKind], from: Int64, to: Int64, cause: Cause
    ) {
        self.connection = connection
        self.symbols = symbols
        self.events = events
        self.from = from
        self.to = to
        self.cause = cause
    }
}
