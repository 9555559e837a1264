import FeedServer
import FeedSimulator
import Logging
import MarketData
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import Feed

/// A sink that counts how often each event came.
final class CountingSink: EventSink {
    struct State {
        var bars: [Bar] = []
        var trades: [UInt64: Int] = [:]
        /// The trades' numbers as they came, by symbol.
        var order: [Symbol: [Int64]] = [:]
        var connections: [String: Int] = [:]
        var gaps: [Gap] = []
        var wasSuspended = false
        var events = 0
    }

    private let state = Mutex(State())

    func offer(_ batch: EventBatch) -> Admission {
        state.withLock { state in
            state.events += batch.count
            state.bars += batch.bars
            state.connections[batch.connection, default: 0] += batch.count
            for trade in batch.trades {
                state.trades[UInt64(trade.sequence ?? -1), default: 0] += 1
                state.order[trade.symbol, default: []].append(trade.sequence ?? -1)
            }
        }
        return .accepted
    }

    func whenRoom(_ resume: @escaping @Sendable () -> Void) { resume() }

    /// Keeps a gap once it is over.
    func record(_ change: GapChange) { state.withLock { $0.gaps += change.gaps.filter { $0.to != nil } } }

    func record(_ incident: Incident) {
        if incident.what == "suspended" { state.withLock { $0.wasSuspended = true } }
    }

    var events: Int { state.withLock { $0.events } }
    var now: State { state.withLock { $0 } }
    /// The gaps, without those of a pause of this process: a loaded machine may stand still for seconds.
    var gaps: [Gap] {
        let now = now
        return now.gaps.filter { $0.cause != .paused || !now.wasSuspended }
    }
}

/// A simulated feed, and how to connect to it.
struct SetRig: Sendable {
    let sink = CountingSink()
    let port: Int

    /// A logger that shows nothing.
    static let quiet: Logger = {
        var logger = Logger(label: "set", factory: { _ in SwiftLogNoOpLogHandler() })
        logger.logLevel = .error
        return logger
    }()

    /// A set in which no connection fails over only because a loaded machine takes long to connect it.
    static var patient: SetConfiguration {
        var configuration = SetConfiguration()
        configuration.failover.grace = .seconds(120)
        return configuration
    }

    /// Runs a simulator while `body` does.
    static func simulate(
        _ source: SimulatorConfiguration.Source, pace: SimulatorConfiguration.Pace = .flatOut,
        startingClients: Int = 1, limit: Int? = nil, faults: [Fault] = [],
        _ body: @Sendable (FeedSimulator, SetRig) async throws -> Void
    ) async throws {
        var configuration = SimulatorConfiguration(source: source)
        configuration.pace = pace
        configuration.startingClients = startingClients
        configuration.connectionLimit = limit
        configuration.server.closeTimeout = .milliseconds(500)
        configuration.faults = faults
        let simulator = FeedSimulator(configuration: configuration, logger: quiet)
        let port = try await simulator.bind()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await simulator.run() }
            defer { group.cancelAll() }
            try await body(simulator, SetRig(port: port))
        }
    }

    func member(
        _ number: Int, _ symbols: [Symbol], events: Set<EventKind> = [.trade], port: Int? = nil, capacity: Int? = nil
    ) throws -> SetMember {
        var configuration = FeedConfiguration(
            name: ["primary", "secondary", "tertiary", "fourth"][number - 1],
            endpoint: try FeedEndpoint(url: "ws://127.0.0.1:\(port ?? self.port)/stocks", allowsPlaintext: false),
            apiKey: Secret("a-key"), events: events)
        configuration.closeTimeout = .milliseconds(500)
        configuration.reconnect.firstDelay = .milliseconds(50)
        configuration.reconnect.cap = .milliseconds(100)
        configuration.reconnect.quickDelay = .milliseconds(20)
        configuration.connectTimeout = .seconds(60)
        configuration.loginTimeout = .seconds(60)
        configuration.confirmTimeout = .seconds(60)
        return SetMember(
            id: "connection_\(number)", configuration: configuration, interest: .symbols(symbols), priority: number,
            capacity: capacity)
    }

    /// Runs a set while `body` does, then stops it and waits for its end.
    func run(
        _ configuration: SetConfiguration, _ members: [SetMember],
        _ body: @Sendable (ConnectionSet) async throws -> Void
    ) async throws {
        let set = try ConnectionSet(configuration: configuration, members: members, sink: sink, logger: Self.quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await set.run() }
            defer { group.cancelAll() }
            try await body(set)
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}

extension SetSnapshot {
    /// Events of all connections since the start.
    var total: Int64 { members.reduce(former.events) { $0 + $1.feed.eventCount } }
    var confirmed: Int { members.reduce(0) { $0 + $1.feed.confirmed.count } }
}

extension CountingSink.State {
    /// How many of `count` trades, numbered from 0, are missing, and how many came more than once.
    func faults(of count: Int) -> (missing: Int, doubled: Int) {
        let missing = (0..<UInt64(count)).count { trades[$0] == nil }
        return (missing, trades.values.count { $0 > 1 })
    }
}

extension ConnectionSet {
    /// The symbols that a connection should deliver, in order.
    func symbols(of id: String) -> [Symbol]? { snapshot.members.first { $0.id == id }?.feed.assigned }
}
