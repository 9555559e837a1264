/// The last hour for the charts: a point every five seconds, in a ring of fixed size.
public struct History: Sendable {
    /// The values at one moment.
    public struct Point: Sendable, Equatable {
        /// When the point was taken, in milliseconds since the Unix epoch.
        public var time: Int64
        /// Events per second since the previous point, by connection id.
        public var rates: [String: Double]
        /// Rows that upstream does not have.
        public var pending: Int64
        /// The age of the oldest such row, in seconds; 0 when there is none.
        public var lag: Double
        /// The median age of the events since the previous point when they were read, in seconds; `nil` without events.
        public var latencyMedian: Double?
        /// The 99th percentile of those ages, in seconds; `nil` without events.
        public var latencyHigh: Double?
    }

    /// Seconds between points.
    public static let interval = 5.0
    /// Points of an hour.
    static let capacity = 720

    private var ring = Ring<Point>(capacity: History.capacity)

    /// The points, oldest first.
    public var points: [Point] { ring.elements() }

    /// Adds a point, which replaces the oldest when the ring is full.
    mutating func append(_ point: Point) { ring.append(point) }
}
