/// How old events were when they were read, in buckets whose bounds suit both trades and minute bars.
public struct LatencyHistogram: Sendable, Equatable {
    /// The buckets' upper bounds in seconds; one more bucket takes what is older.
    public static let bounds: [Double] = [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900,
    ]
    private static let boundsMilliseconds = bounds.map { $0 * 1000 }

    /// Events in each bucket, not cumulative.
    public private(set) var counts = [Int64](repeating: 0, count: bounds.count + 1)
    /// The sum of all ages, in seconds.
    public private(set) var sum = 0.0

    /// A histogram of no events.
    public init() {}

    /// Events recorded.
    public var total: Int64 { counts.reduce(0, +) }

    /// Counts an event's age in milliseconds; an age below zero (a clock behind the feed's) counts as zero.
    public mutating func record(milliseconds: Double) {
        let age = max(0, milliseconds)
        var bucket = 0
        while bucket < Self.boundsMilliseconds.count, age > Self.boundsMilliseconds[bucket] { bucket += 1 }
        counts[bucket] += 1
        sum += age / 1000
    }

    /// Adds another histogram's events.
    public mutating func add(_ other: LatencyHistogram) {
        for bucket in counts.indices { counts[bucket] += other.counts[bucket] }
        sum += other.sum
    }

    /// The age in seconds that a share of the events recorded since `earlier` stayed below, interpolated within its
    /// bucket; `nil` when there were none. The last bucket has no upper bound: its lower one is answered.
    public func quantile(_ share: Double, since earlier: LatencyHistogram? = nil) -> Double? {
        var window = counts
        if let earlier {
            for bucket in window.indices { window[bucket] -= earlier.counts[bucket] }
        }
        let events = window.reduce(0, +)
        guard events > 0 else { return nil }
        let rank = share * Double(events)
        var below = 0.0
        for (bucket, count) in window.enumerated() where count > 0 {
            let upTo = below + Double(count)
            if upTo >= rank {
                let lower = bucket == 0 ? 0 : Self.bounds[bucket - 1]
                guard bucket < Self.bounds.count else { return lower }
                return lower + (Self.bounds[bucket] - lower) * (rank - below) / Double(count)
            }
            below = upTo
        }
        return Self.bounds.last
    }
}
