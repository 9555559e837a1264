/// The receiver of a feed connection's events: a bounded queue that never blocks.
public protocol EventSink: AnyObject, Sendable {
    /// Takes a batch without blocking; called on the connection's event loop.
    func offer(_ batch: EventBatch) -> Admission

    /// Calls `resume` once, on any thread, when the queue has room again; at once when it has room now.
    func whenRoom(_ resume: @escaping @Sendable () -> Void)

    /// The kinds whose batches must also contain the events as the feed sent them; asked at each socket read.
    var wantedText: KindSet { get }

    /// Records gaps that began and gaps that are over, all or none of them; does not block.
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
    /// The batch came too late to distinguish its new events from those of another connection, and was not taken:
    /// reconnect and record a gap.
    case outdated
}
