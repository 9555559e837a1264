/// How old events were when they were read. Coarse buckets, whose bounds suit both trades and minute bars, are for
/// metrics, and fine ones are for quantiles.
public struct LatencyHistogram: Sendable, Equatable {
    /// The coarse buckets' upper bounds, in seconds; one more bucket counts older events. Those from 900 on are for feeds
    /// that are delayed by a quarter of an hour: 930 separates events that arrive on time from late ones.
    public static let bounds: [Double] = [
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 930, 960, 1200, 3600, 21_600,
        86_400,
    ]
    private static let boundsMilliseconds = bounds.map { $0 * 1000 }

    /// Events in each coarse bucket, not cumulative.
    public private(set) var counts = [Int64](repeating: 0, count: bounds.count + 1)
    /// Events in each fine bucket.
    private var fine = [Int64](repeating: 0, count: FineBucket.count)
    /// The sum of all ages, in seconds.
    public private(set) var sum = 0.0

    /// A histogram of no events.
    public init() {}

    /// Counts an event's age in milliseconds; an age below zero (a clock behind the feed's) counts as zero.
    public mutating func record(milliseconds: Double) {
        let age = max(0, milliseconds)
        var bucket = 0
        while bucket < Self.boundsMilliseconds.count, age > Self.boundsMilliseconds[bucket] { bucket += 1 }
        counts[bucket] += 1
        fine[FineBucket.index(milliseconds: age)] += 1
        sum += age / 1000
    }

    /// A histogram of the events of several.
    init(_ histograms: some Sequence<LatencyHistogram>) {
        for other in histograms {
            for bucket in counts.indices { counts[bucket] += other.counts[bucket] }
            for bucket in fine.indices { fine[bucket] += other.fine[bucket] }
            sum += other.sum
        }
    }

    /// Returns the age in seconds below which a share of the events recorded since `earlier` stayed, to within a
    /// thirty-second of it; `nil` when there were none.
    func quantile(_ share: Double, since earlier: LatencyHistogram? = nil) -> Double? {
        var window = fine
        if let earlier {
            for bucket in window.indices { window[bucket] -= earlier.fine[bucket] }
        }
        let rank = share * Double(window.reduce(0, +))
        var upTo = 0.0
        for (bucket, count) in window.enumerated() where count > 0 {
            upTo += Double(count)
            if upTo >= rank { return FineBucket.middle(bucket) }
        }
        return nil
    }
}

/// Buckets that are a sixteenth of a millisecond wide up to 2 ms, and from there a sixteenth of their power of two, up
/// to 99 days.
private enum FineBucket {
    /// The number of one-unit buckets before the first power of two that is divided.
    private static let whole = 32
    private static let unitsPerMillisecond = 16.0
    /// The highest power of two, 2^36 sixteenths of a millisecond: 49 days.
    private static let highest = 36

    static let count = whole + (highest - 4) * 16

    static func index(milliseconds: Double) -> Int {
        let units = UInt64(min(milliseconds * unitsPerMillisecond, 0x1F_FFFF_FFFF))
        guard units >= whole else { return Int(units) }
        let power = 63 - units.leadingZeroBitCount
        return whole + (power - 5) * 16 + Int(units >> UInt64(power - 4)) - 16
    }

    /// Returns the age in the middle of a bucket, in seconds.
    static func middle(_ index: Int) -> Double {
        guard index >= whole else { return (Double(index) + 0.5) / unitsPerMillisecond / 1000 }
        let power = 5 + (index - whole) / 16
        let width = Double(UInt64(1) << UInt64(power - 4))
        let lower = Double(16 + (index - whole) % 16) * width
        return (lower + width / 2) / unitsPerMillisecond / 1000
    }
}
