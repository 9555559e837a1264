import FeedSimulator
import Foundation
import LedgerSupport
import Logging
import MarketData
import Synchronization

/// A feed of numbered events on loopback: serves until it goes out of scope.
final class LedgerServer: Sendable {
    static let symbols = "AAPL,BRK.B,ZVZZT"

    /// Of each kind, in a few symbols; an event happens when it is sent, as on a real feed.
    let plan: LedgerPlan
    let simulator: FeedSimulator
    let port: Int
    private let first: UInt64
    private let eventsPerFrame: Int
    private let serving: Task<Void, any Error>

    /// Starts to serve at so many events a second, or flat out; while nobody listens it waits, unless events are to be
    /// missed then. A client for which more than `slowBytes` wait is closed; without it, it is waited for. A feed that goes on
    /// where another one ended has that one's plan.
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
        configuration.port = port
        configuration.pace = perSecond == nil ? .flatOut : .speed(1)
        configuration.absence = misses ? .misses : .pauses
        if let slowBytes {
            configuration.slowClients = .areDropped
            configuration.outboundLimitBytes = slowBytes
        }
        configuration.settleTime = .milliseconds(10)
        configuration.closeTimeout = .milliseconds(500)
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
        // Rounded down: a feed may be late, and never knows what is still to come.
        let step = perSecond.map { Int64(Double(kinds.count * symbols.count) * 1000 / $0) } ?? 1
        return LedgerPlan(
            kinds: kinds, symbols: symbols, start: Int64(Date().timeIntervalSince1970 * 1000), step: step)
    }

    var url: String { "ws://127.0.0.1:\(port)/stocks" }

    /// The number after the last event that may have been sent.
    var end: UInt64 { first + UInt64(simulator.statistics.position.frames * eventsPerFrame) }

    /// How often a fault was made.
    func times(_ fault: String) -> Int { simulator.statistics.faults[fault] ?? 0 }

    /// Ends it, and waits until its port is free.
    func stop() async {
        serving.cancel()
        _ = await serving.result
    }
}
