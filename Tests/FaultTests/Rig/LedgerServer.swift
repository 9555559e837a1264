import FeedServer
import FeedSimulator
import LedgerSupport
import Logging
import MarketData
import Synchronization

/// A feed of numbered events on loopback: serves until it goes out of scope.
final class LedgerServer: Sendable {
    static let symbols = "AAPL,BRK.B,ZVZZT"

    /// The plan of the events: by default a few symbols on one clock, so that events happen about when they are sent.
    let plan: LedgerPlan
    let simulator: FeedSimulator
    let port: Int
    private let first: UInt64
    private let eventsPerFrame: Int
    private let serving: Task<Void, any Error>

    /// Starts to serve `perSecond` events a second; `nil` means at full speed. While no client is connected the feed
    /// waits, or with `misses` goes on without clients. With `slowBytes`, a client for which more bytes wait is closed;
    /// otherwise the feed waits for it. A feed that continues another one must be given that one's plan.
    init(
        kinds: [EventKind] = [.minuteBar, .secondBar, .trade, .quote], plan: LedgerPlan? = nil, first: UInt64 = 0,
        count: Int? = nil, perSecond: Double? = 2000,
        eventsPerFrame: Int = 8, port: Int = 0,
        misses: Bool = false, slowBytes: Int? = nil, limit: Int? = nil, servesAggregates: Bool = false,
        faults: [Fault] = []
    ) async throws {
        let plan = plan ?? Self.plan(of: kinds, perSecond: perSecond)
        let feed = LedgerFeed(
            plan: plan, firstID: first, count: count, eventsPerFrame: eventsPerFrame,
            eventsPerSecond: perSecond ?? 10_000)
        var configuration = SimulatorConfiguration(source: .ledger(feed))
        configuration.server.port = port
        configuration.pace = perSecond == nil ? .flatOut : .speed(1)
        configuration.absence = misses ? .misses : .pauses
        if let slowBytes {
            configuration.dropsSlowClients = true
            configuration.outboundLimitBytes = slowBytes
        }
        configuration.settleTime = .milliseconds(10)
        configuration.server.closeTimeout = .milliseconds(500)
        configuration.connectionLimit = limit
        configuration.servesAggregates = servesAggregates
        configuration.faults = faults
        let simulator = FeedSimulator(
            configuration: configuration, logger: Logger(label: "ledger", factory: { _ in SwiftLogNoOpLogHandler() }))
        self.port = try await simulator.bind()
        self.simulator = simulator
        self.plan = plan
        self.first = first
        self.eventsPerFrame = eventsPerFrame
        serving = Task { try await simulator.run() }
    }

    deinit { serving.cancel() }

    private static func plan(of kinds: [EventKind], perSecond: Double?) -> LedgerPlan {
        let symbols = symbols.split(separator: ",").compactMap { Symbol(String($0)) }
        // Rounded down, so that no event is sent before its own time; late ones are allowed.
        let step = perSecond.map { Int64(Double(kinds.count * symbols.count) * 1000 / $0) } ?? 1
        return LedgerPlan(kinds: kinds, symbols: symbols, start: WallClock.milliseconds(), step: step)
    }

    var url: String { "ws://127.0.0.1:\(port)/stocks" }

    /// The number after the last event that may have been sent.
    var end: UInt64 { first + UInt64(simulator.statistics.passedFrames * eventsPerFrame) }

    /// How late the events are when they are sent: they happen from the feed's start on, but the first is sent once a
    /// client has subscribed.
    var lateness: Duration {
        let next = plan.event(end)
        return .milliseconds(WallClock.milliseconds() - (next.bar?.end ?? next.time))
    }

    /// Returns how often a fault was carried out.
    func times(_ fault: String) -> Int { simulator.statistics.faults[fault] ?? 0 }

    /// Ends it, and waits until its port is free.
    func stop() async {
        serving.cancel()
        _ = await serving.result
    }
}
