/// How fast a count grows, over several spans: pure, fed with samples.
struct RateMeter: Sendable {
    private struct Sample {
        var time: Double
        var count: Int64
    }

    /// The longest span kept, in seconds.
    static let longest = 60.0

    private var samples: [Sample] = []

    /// Takes the count at a time, in seconds on a clock that never jumps. A count that falls (a connection replaced by
    /// another of the same name) starts again.
    mutating func record(_ count: Int64, at time: Double) {
        if let last = samples.last, count < last.count { samples.removeAll() }
        samples.append(Sample(time: time, count: count))
        // One sample at or before the longest span's start is kept to measure from.
        while samples.count > 2, samples[1].time <= time - Self.longest { samples.removeFirst() }
    }

    /// Counts a second over the last `span` seconds, or over as much of it as was seen; 0 before the second sample.
    func rate(over span: Double) -> Double {
        guard let last = samples.last else { return 0 }
        let wanted = last.time - span
        let base = samples.last { $0.time <= wanted } ?? samples[0]
        let elapsed = last.time - base.time
        return elapsed > 0 ? Double(last.count - base.count) / elapsed : 0
    }
}

/// A connection's rates in events a second.
public struct ConnectionRates: Sendable, Equatable {
    /// Over the last second.
    public var second = 0.0
    /// Over the last five seconds.
    public var fiveSeconds = 0.0
    /// Over the last minute.
    public var minute = 0.0

    /// The rates of a connection that brought nothing.
    public init() {}

    init(_ meter: RateMeter) {
        second = meter.rate(over: 1)
        fiveSeconds = meter.rate(over: 5)
        minute = meter.rate(over: 60)
    }
}
