/// A span of the events' own time in which events of some symbols may have been missed.
public struct Gap: Sendable, Hashable {
    /// What interrupted the stream.
    public enum Cause: String, Sendable, CaseIterable, Codable {
        /// The connection was closed or lost.
        case disconnected
        /// The connection was open but silent for too long, or the events after a silence began at a later time.
        case stalled
        /// The buffer had no room and the connection was dropped.
        case overflow
        /// The collector's process was not running, or was stopped.
        case down
        /// The symbol was not subscribed: refused, or moved.
        case unsubscribed
        /// The events could not be read: in a damaged part of the buffer's file, or as the feed sent them.
        case damaged
        /// This process or its machine was suspended, and the feed did not keep the events.
        case paused
        /// The box that had the symbol was already gone when this one took it over.
        case shardMoved = "shard moved"
    }

    /// The connection that missed the events.
    public var connection: String
    /// The symbols missed; empty when the connection subscribes to all.
    public var symbols: [Symbol]
    /// The kinds of events missed.
    public var events: [EventKind]
    /// The time of the newest event before the interruption, or a little before, in milliseconds since the Unix epoch.
    public var from: Int64
    /// When the subscription was back, or a little later, in milliseconds since the Unix epoch; `nil` while it is not.
    public var to: Int64?
    /// What interrupted the stream.
    public var cause: Cause
    /// Whether the ends may be off: the clock was wrong, or the earlier file can't be read.
    public var isUncertain: Bool

    /// Makes a gap; see the properties for meaning and units.
    public init(
        connection: String, symbols: [Symbol], events: [EventKind], from: Int64, to: Int64?, cause: Cause,
        isUncertain: Bool = false
    ) {
        self.connection = connection
        self.symbols = symbols
        self.events = events
        self.from = from
        self.to = to
        self.cause = cause
        self.isUncertain = isUncertain
    }
}

extension Gap {
    /// How long before the newest event read a gap begins, in milliseconds: events arrive slightly out of order.
    public static let startMargin: Int64 = 1000
    /// How long after the clock or the events show its end a gap ends, in milliseconds: even a synchronized clock may
    /// be this far behind.
    public static let endMargin: Int64 = 2000
    /// The longest time from an event until it is read while its feed keeps up, in milliseconds. It includes how far
    /// this machine's clock may be ahead. When no event shows how far the events had come, a gap begins this long
    /// before the clock's time.
    public static let eventLateness: Int64 = 5000
}

/// The changes of gaps that become known at one moment.
public struct GapChange: Sendable, Equatable {
    /// Gaps that were recorded as open and are replaced by ``gaps``.
    public var ended: [Gap]
    /// The present state: gaps that are over, and gaps that began.
    public var gaps: [Gap]

    /// Makes a change; see the properties for meaning.
    public init(ended: [Gap] = [], gaps: [Gap]) {
        self.ended = ended
        self.gaps = gaps
    }
}

/// Something that happened to the collector or its files and that a person should find later.
public struct Incident: Sendable, Equatable {
    /// What happened, in a word or two.
    public var what: String
    /// The circumstances, in words.
    public var detail: String

    /// Makes an incident; see the properties for meaning.
    public init(_ what: String, detail: String) {
        self.what = what
        self.detail = detail
    }
}
