/// Where a feed connection hands its events: a bounded queue that returns at once.
public protocol EventSink: AnyObject, Sendable {
    /// Takes a batch without blocking; called on the connection's event loop.
    func offer(_ batch: EventBatch) -> Admission

    /// Calls `resume` once, on any thread, when the queue has room again; at once when it has room now.
    func whenRoom(_ resume: @escaping @Sendable () -> Void)

    /// The kinds of which batches are to hold the events as the feed sent them; asked at each read.
    var wantedText: KindSet { get }

    /// Keeps the knowledge that events were missed; does not block.
    func record(_ gap: Gap)

    /// Keeps which gaps began and which are over, all or nothing; does not block.
    func record(_ change: GapChange)

    /// Keeps what happened; does not block.
    func record(_ incident: Incident)
}

extension EventSink {
    /// For a sink to which the values are enough.
    public var wantedText: KindSet { [] }

    /// For a sink that keeps nothing of a gap before it is over.
    public func record(_ change: GapChange) {
        for gap in change.gaps where gap.to != nil { record(gap) }
    }

    /// For a sink without a logbook.
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
    /// The batch came too late to tell copies of what another connection brought from new events, and was not taken:
    /// connect again and record a gap.
    case outdated
}
