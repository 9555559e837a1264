import MarketData
public import ServiceLifecycle
import Store
import Synchronization

/// The newest sample of the collector, taken twice a second, so that no reader waits for the collector itself.
///
/// Whatever is read "from memory" is read here. If the collector's snapshot ever blocks, the board keeps the last
/// sample, and ``Sample/age`` shows how old it is.
public final class StatusBoard: Service {
    /// The collector at one moment, with values derived from earlier samples.
    public struct Sample: Sendable {
        /// The collector's snapshot.
        public var snapshot: CollectorSnapshot
        /// When, in milliseconds since the Unix epoch.
        public var time: Int64
        /// When, on a clock that never jumps.
        public var instant: ContinuousClock.Instant
        /// Ages of all events by connection name.
        public var latency: [String: LatencyHistogram] = [:]
        /// The ages of all events up to about a minute ago, by connection name.
        var latencyBefore: [String: LatencyHistogram] = [:]
        /// The process's use of the machine.
        public var usage: ProcessUsage
        /// Seconds since the board was made, about when the process started.
        public var uptime: Double

        /// Seconds since the sample was taken.
        var age: Double { (ContinuousClock.now - instant).inSeconds }
        /// Whether the collector does its work, by this sample and its age.
        public var health: Health { Health(snapshot, age: age) }
    }

    private struct State {
        var sample: Sample
        /// When the collector was asked for the sample.
        var asked: ContinuousClock.Instant
        var latencies: [(time: Double, latency: [String: LatencyHistogram])] = []
        var history = History()
        var before: (time: Double, counts: [String: Int64], latency: LatencyHistogram)
    }

    private let collector: @Sendable () -> CollectorSnapshot
    private let latency: @Sendable () -> [String: LatencyHistogram]
    private let beat: Duration
    private let start: ContinuousClock.Instant
    private let state: Mutex<State>

    /// A board with a first sample.
    ///
    /// - Parameters:
    ///   - collector: Takes a snapshot, from memory.
    ///   - latency: Returns the ages of all events so far, by the connection's name.
    ///   - beat: The time from one sample to the next.
    public init(
        collector: @escaping @Sendable () -> CollectorSnapshot,
        latency: @escaping @Sendable () -> [String: LatencyHistogram], beat: Duration = .milliseconds(500)
    ) {
        self.collector = collector
        self.latency = latency
        self.beat = beat
        start = ContinuousClock.now
        let sample = Sample(
            snapshot: collector(), time: WallClock.milliseconds(), instant: start, usage: .now(), uptime: 0)
        state = Mutex(State(sample: sample, asked: start, before: (0, [:], LatencyHistogram())))
        refresh()
    }

    /// Takes samples until graceful shutdown or cancellation, whether or not anybody asks for them. A supervisor's
    /// watchdog depends on them, and must not depend on the HTTP server.
    public func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            var next = ContinuousClock.now
            while !Task.isCancelled {
                refresh()
                // If the process was stopped, the missed beats are not made up for.
                next = max(next + beat, .now)
                try? await Task.sleep(until: next, clock: .continuous)
            }
        }
    }

    /// The newest sample.
    public var sample: Sample { state.withLock { $0.sample } }

    /// The last hour.
    public var history: History { state.withLock { $0.history } }

    /// Puts the points of an earlier process before the points of this one.
    public func recall(_ before: History) {
        state.withLock { state in
            let own = state.history.points
            state.history = before
            own.forEach { state.history.append($0) }
        }
    }

    /// Takes a sample now. The collector is asked outside the lock; if two calls overlap, the one that asked later
    /// wins.
    @discardableResult
    public func refresh() -> Sample {
        let asked = ContinuousClock.now
        let snapshot = collector()
        let latency = latency()
        let usage = ProcessUsage.now()
        let instant = ContinuousClock.now
        let uptime = (instant - start).inSeconds
        return state.withLock { state in
            guard asked >= state.asked else { return state.sample }
            state.asked = asked
            if state.latencies.last.map({ uptime - $0.time >= 5 }) ?? true {
                state.latencies.append((uptime, latency))
                while state.latencies.count > 1, uptime - state.latencies[1].time >= 60 {
                    state.latencies.removeFirst()
                }
            }
            state.sample = Sample(
                snapshot: snapshot, time: WallClock.milliseconds(), instant: instant, latency: latency,
                latencyBefore: state.latencies.first?.latency ?? [:], usage: usage, uptime: uptime)
            return state.sample
        }
    }

    /// Adds the newest sample to the last hour and returns the point.
    public func remember() -> History.Point {
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
            let all = LatencyHistogram(sample.latency.values)
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
    /// Returns the age below which a share of a connection's events of the last minute stayed, in seconds; `nil` when
    /// there were none.
    public func latency(of connection: ConnectionState, quantile share: Double) -> Double? {
        latency[connection.name]?.quantile(share, since: latencyBefore[connection.name])
    }

    /// Returns the age below which a share of all events of the last minute stayed, in seconds; `nil` when there were
    /// none.
    public func latency(quantile share: Double) -> Double? {
        let before = latencyBefore.filter { latency[$0.key] != nil }
        return LatencyHistogram(latency.values).quantile(share, since: LatencyHistogram(before.values))
    }
}
