@testable public import FeedSimulator

/// A feed of consecutively numbered events, each of which can be rebuilt from its number: see ``LedgerEvent``.
public struct LedgerFeed: Sendable, Equatable {
    /// What the events look like.
    public var plan: LedgerPlan
    /// The first event's number.
    public var firstID: UInt64
    /// The number of events to send; `nil` sends events without end.
    public var count: Int?
    /// The number of events per frame.
    public var eventsPerFrame: Int
    /// The number of events per second at a speed of 1; it has no effect at full speed.
    public var eventsPerSecond: Double

    /// Makes a feed; see the properties for meaning.
    public init(
        plan: LedgerPlan, firstID: UInt64 = 0, count: Int? = nil, eventsPerFrame: Int = 10,
        eventsPerSecond: Double = 10_000
    ) {
        self.plan = plan
        self.firstID = firstID
        self.count = count
        self.eventsPerFrame = eventsPerFrame
        self.eventsPerSecond = eventsPerSecond
    }

    /// Returns a frame of the feed, or `nil` at its end.
    func frame(_ number: Int) -> SimulatorConfiguration.Frame? {
        let first = number * eventsPerFrame
        let end = min(first + eventsPerFrame, count ?? .max)
        guard first < end else { return nil }
        var text: [UInt8] = []
        for number in first..<end {
            text.append(UInt8(ascii: number == first ? "[" : ","))
            text.append(contentsOf: plan.event(firstID + UInt64(number)).json)
        }
        text.append(UInt8(ascii: "]"))
        return SimulatorConfiguration.Frame(
            text: text, time: plan.start + Int64(Double(end) * 1000 / eventsPerSecond))
    }
}

extension SimulatorConfiguration.Source {
    /// The frames of numbered events.
    public static func ledger(_ feed: LedgerFeed) -> Self { .frames { feed.frame($0) } }
}
