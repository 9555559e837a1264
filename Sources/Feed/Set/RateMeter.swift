import MarketData

/// Measures how fast counters grew over the last 1, 5 and 60 seconds, from samples about a second apart.
struct RateMeter: Sendable {
    struct Sample: Equatable, Sendable {
        var time: Duration
        var events: Int64
        /// Events that could not be decoded or accepted, lost connections, and errors that the feed reported.
        var errors: Int64
    }

    private var samples: [Sample] = []

    mutating func add(_ sample: Sample) {
        if samples.count == 62 { samples.removeFirst() }
        samples.append(sample)
    }

    /// Events per second over about `span` up to the newest sample; 0 before the second sample.
    func eventRate(over span: Duration) -> Double {
        guard let (first, last) = ends(of: span) else { return 0 }
        return Double(last.events - first.events) / (last.time - first.time).inSeconds
    }

    /// The share of errors among all events and errors of about the last minute, 0 to 1.
    var errorRate: Double {
        guard let (first, last) = ends(of: .seconds(60)) else { return 0 }
        let errors = last.errors - first.errors
        let all = errors + last.events - first.events
        return all > 0 ? Double(errors) / Double(all) : 0
    }

    /// The newest sample, and the oldest that is not much more than `span` older.
    private func ends(of span: Duration) -> (first: Sample, last: Sample)? {
        guard let last = samples.last else { return nil }
        // A tick that came a little late must not lose its sample.
        let start = last.time - span - .milliseconds(500)
        guard let first = samples.first(where: { $0.time >= start }), first.time < last.time else { return nil }
        return (first, last)
    }
}
