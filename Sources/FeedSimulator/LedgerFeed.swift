/// Events numbered from 0 without gaps, each of which can be rebuilt from its number: see ``LedgerEvent``.
public struct LedgerFeed: Sendable, Equatable {
    /// What the events look like.
    public var plan: LedgerPlan
    /// The first event's number.
    public var firstID: UInt64
    /// How many events are sent; `nil` sends them for ever.
    public var count: Int?
    /// How many events a frame holds.
    public var eventsPerFrame: Int
    /// How many events are sent in a second at a speed of 1; flat out it means nothing.
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
}
