/// Where a feed connection hands its events: a bounded queue that returns at once.
public protocol EventSink: AnyObject, Sendable {
    /// Takes a batch without blocking; called on the connection's event loop.
    func offer(_ batch: EventBatch) -> Admission

    /// Calls `resume` once, on any thread, when the queue has room again; at once when it has room now.
    func whenRoom(_ resume: @escaping @Sendable () -> Void)

    /// The kinds whose batches must also hold the events as the feed sent them; read at each socket read.
    var wantedText: KindSet { get }

    /// Records which gaps began and which are over, all or nothing; does not block.
    func record(_ change: GapChange)

    /// Records an incident; does not block.
    func record(_ incident: Incident)
}

extension EventSink {
    /// The default, for a sink that needs only the values.
    public var wantedText: KindSet { [] }

    /// The default, for a sink without a logbook.
    public func record(_ incident: Incident) {}
}

/// A sink's answer to a batch.
public enum Admission: Sendable, Equatable {
    /// The batch is queued; go on.
    case accepted
    /// The batch is queued, but the queue is nearly full: stop reading from the socket until there is room.
    case acceptedStopReading
    /// The queue is full and the batch was not taken: close the connection and record a gap.
    case refused
    /// The batch came too late to tell new events from another connection's, and was not taken: connect again and
    /// record a gap.
    case outdated
}
