import Synchronization

/// The newest sample of the collector, taken on a beat, so that no answer waits for the collector itself.
///
/// Everything that is answered "from memory" is answered from here. When the collector's snapshot ever blocks, the
/// board keeps answering, and ``Sample/age`` tells that it is old.
final class StatusBoard: Sendable {
    /// The collector at one moment, with what follows from the samples before it.
    struct Sample: Sendable {
        var snapshot: CollectorSnapshot
        /// When, in milliseconds since the Unix epoch.
        var time: Int64
        /// When, on a clock that never jumps.
        var instant: ContinuousClock.Instant
        /// Events a second by connection id.
        var rates: [String: ConnectionRates] = [:]
        /// Ages of all events by connection name.
        var latency: [String: LatencyHistogram] = [:]
        /// Ages of all events by connection name, about a minute ago.
        var latencyBefore: [String: LatencyHistogram] = [:]
        /// What the process takes from the machine.
        var usage: ProcessUsage
        /// Seconds since the process started answering.
        var uptime: Double

        /// Seconds since the sample was taken.
        var age: Double { (ContinuousClock.now - instant).seconds }
    }

    private struct State {
        var sample: Sample
        /// When the collector was asked for the sample.
        var asked: ContinuousClock.Instant
        var meters: [String: RateMeter] = [:]
        var latencies: [(time: Double, latency: [String: LatencyHistogram])] = []
        var history = History()
        var before: (time: Double, counts: [String: Int64], latency: LatencyHistogram)
    }

    private let source: any CollectorSource
    private let tap: EventTap
    private let start: ContinuousClock.Instant
    private let state: Mutex<State>

    /// A board with a first sample.
    init(source: any CollectorSource, tap: EventTap) {
        self.source = source
        self.tap = tap
        start = ContinuousClock.now
        let sample = Sample(
            snapshot: source.snapshot(), time: WallClock.milliseconds(), instant: start, usage: .now(), uptime: 0)
        state = Mutex(State(sample: sample, asked: start, before: (0, [:], LatencyHistogram())))
        refresh()
    }

    /// The newest sample.
    var sample: Sample { state.withLock { $0.sample } }

    /// The last hour.
    var history: [History.Point] { state.withLock { $0.history.points } }

    /// Takes a sample now. The collector is asked outside the lock; of two at once, the one that asked later stays.
    @discardableResult
    func refresh() -> Sample {
        let asked = ContinuousClock.now
        let snapshot = source.snapshot()
        let latency = tap.latency
        let usage = ProcessUsage.now()
        let instant = ContinuousClock.now
        let uptime = (instant - start).seconds
        return state.withLock { state in
            guard asked >= state.asked else { return state.sample }
            state.asked = asked
            var rates: [String: ConnectionRates] = [:]
            let meters = state.meters
            state.meters = [:]
            for connection in snapshot.connections {
                var meter = meters[connection.id] ?? RateMeter()
                meter.record(connection.messageCount, at: uptime)
                rates[connection.id] = ConnectionRates(
                    second: meter.rate(over: 1), fiveSeconds: meter.rate(over: 5), minute: meter.rate(over: 60))
                state.meters[connection.id] = meter
            }
            if state.latencies.last.map({ uptime - $0.time >= 5 }) ?? true {
                state.latencies.append((uptime, latency))
                while state.latencies.count > 1, uptime - state.latencies[1].time >= 60 {
                    state.latencies.removeFirst()
                }
            }
            state.sample = Sample(
                snapshot: snapshot, time: WallClock.milliseconds(), instant: instant, rates: rates,
                latency: latency, latencyBefore: state.latencies.first?.latency ?? [:], usage: usage, uptime: uptime)
            return state.sample
        }
    }

    /// Adds the newest sample to the last hour and answers the point.
    func remember() -> History.Point {
        state.withLock { state in
            let sample = state.sample
            let elapsed = max(0.001, sample.uptime - state.before.time)
            var counts: [String: Int64] = [:]
            var rates: [String: Double] = [:]
            for connection in sample.snapshot.connections {
                let count = connection.messageCount
                counts[connection.id] = count
                if let before = state.before.counts[connection.id], before <= count {
                    rates[connection.id] = Double(count - before) / elapsed
                }
            }
            var all = LatencyHistogram()
            for histogram in sample.latency.values { all.add(histogram) }
            let point = History.Point(
                time: sample.time, rates: rates, pending: sample.snapshot.buffer.pending,
                lag: sample.snapshot.uploadLag,
                latencyMedian: all.quantile(0.5, since: state.before.latency),
                latencyHigh: all.quantile(0.99, since: state.before.latency))
            state.before = (sample.uptime, counts, all)
            state.history.append(point)
            return point
        }
    }
}

extension StatusBoard.Sample {
    /// The age that a share of a connection's events of the last minute stayed below, in seconds.
    func latency(of connection: ConnectionState, quantile share: Double) -> Double? {
        latency[connection.name]?.quantile(share, since: latencyBefore[connection.name])
    }

    /// The age that a share of all events of the last minute stayed below, in seconds.
    func latency(quantile share: Double) -> Double? {
        var all = LatencyHistogram()
        for histogram in latency.values { all.add(histogram) }
        var before = LatencyHistogram()
        for (name, histogram) in latencyBefore where latency[name] != nil { before.add(histogram) }
        return all.quantile(share, since: before)
    }
}
