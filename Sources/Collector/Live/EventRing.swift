import Store

/// The newest events, each with a number that only grows; the oldest make room.
struct EventRing: Sendable {
    private var events: [StoredEvent] = []
    private let capacity: Int
    /// The number of the next event, which is the number of events added so far.
    private(set) var end: UInt64 = 0

    /// A ring of at most `capacity` events.
    init(capacity: Int) {
        self.capacity = capacity
    }

    /// The number of the oldest event held.
    var start: UInt64 { end - UInt64(events.count) }

    /// Puts an event at the end.
    mutating func append(_ event: StoredEvent) {
        if events.count < capacity {
            events.append(event)
        } else {
            events[Int(end % UInt64(capacity))] = event
        }
        end += 1
    }

    /// Returns the events with numbers in a range, oldest first, without those that are no longer held.
    func events(in range: Range<UInt64>) -> [StoredEvent] {
        range.clamped(to: start..<end).map { events[Int($0 % UInt64(capacity))] }
    }

    func newest(_ limit: Int, where matches: (StoredEvent) -> Bool) -> [StoredEvent] {
        var found: [StoredEvent] = []
        var number = end
        while number > start, found.count < limit {
            number -= 1
            let event = events[Int(number % UInt64(capacity))]
            if matches(event) { found.append(event) }
        }
        return found
    }
}
