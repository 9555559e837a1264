import Logging
import MarketData
import ServiceLifecycle
import Store
import Synchronization
public import WebAPI

@testable public import Collector
@testable import Universe

/// A server on a free loopback port, with a staged collector behind it.
public struct RunningServer: Sendable {
    /// The server did not come up.
    public struct DidNotStart: Error {}

    /// The collector that the server shows.
    public let collector: StagedCollector
    /// The tap through which the events pass.
    public let tap: EventTap
    /// The server's port.
    public let port: Int
    /// Ends it gracefully.
    public let stop: @Sendable () async -> Void

    /// Runs `body` alongside a server, then stops the server.
    public static func run(
        _ configuration: WebConfiguration? = nil, collector: StagedCollector = .market(), port: Int = 0,
        _ body: @Sendable (RunningServer) async throws -> Void
    ) async throws {
        var configuration = try configuration ?? WebConfiguration(port: port)
        if configuration.beat == .milliseconds(500) { configuration.beat = .milliseconds(50) }
        let tap = EventTap(before: collector)
        try await serve(collector, tap, configuration) { port, stop in
            try await body(RunningServer(collector: collector, tap: tap, port: port, stop: stop))
        }
    }
}

extension StagedCollector {
    /// Returns a collector with two connections and a few well-known symbols and groups.
    public static func market() -> StagedCollector {
        let collector = StagedCollector()
        let primary = ["AAPL", "MSFT", "NVDA", "SPY"].compactMap { Symbol($0) }
        let secondary = ["AIG", "BAC", "IBM"].compactMap { Symbol($0) }
        collector.connect("connection_1", name: "primary", symbols: primary)
        collector.connect("connection_2", name: "secondary", symbols: secondary)
        collector.change { state in
            state.snapshot.maximumBytes = 8 << 30
            state.snapshot.buffer.fileBytes = 40 << 20
            state.snapshot.buffer.usedBytes = 40 << 20
            state.snapshot.uploads = [UploadState()]
            state.snapshot.cache = CacheStatistics()
            var relay = RelayState(
                host: "127.0.0.1", port: 8765, isEncrypted: false, maximumReaders: 64, maximumOnDemand: 100)
            relay.onDemand = DemandReview(
                symbols: ["TSLA"].compactMap { Symbol($0) }, refused: Set(["Q.TSLA"].compactMap { FeedChannel($0) }))
            relay.readers = [
                RelayState.Reader(
                    id: 1, address: "127.0.0.1:50000", agent: "a notebook", isLoggedIn: true,
                    connectedSince: 1_767_600_000_000, channels: 1, sample: ["AM.AAPL"], events: 3, bytes: 300,
                    replayed: 0, waitingBytes: 0, waitingEvents: 0, isReplaying: false)
            ]
            state.snapshot.relay = relay
            state.snapshot.loops = [LoopProgress(name: "writer", age: 0.1, limit: 10)]
            state.groups = [
                (UniverseGroup("tech", .universe, description: "Large technology", members: primary.count), primary),
                (UniverseGroup("SPY", .etf, members: secondary.count, origin: .pulled), secondary),
                (UniverseGroup("Energy", .sector, members: 1, origin: .pulled), Array(primary.prefix(1))),
                (UniverseGroup("ai", .theme, description: "Say \"AI\"", members: 2), Array(primary.prefix(2))),
            ]
        }
        return collector
    }
}

extension RunningServer {
    /// Runs `body` alongside a server for any source.
    public static func run(
        source: any SampledSource, configuration: WebConfiguration,
        _ body: @Sendable (RawHTTP) async throws -> Void
    ) async throws {
        try await serve(source, EventTap(before: StagedCollector()), configuration) { port, _ in
            try await body(RawHTTP(port: port))
        }
    }

    /// Lengthens the limits of time that a configuration leaves at their defaults: on a loaded machine, a request that
    /// a test takes for granted may exceed them.
    private static func patient(_ configuration: WebConfiguration) -> WebConfiguration {
        var configuration = configuration
        let (usual, long) = (WebConfiguration.Limits(), Duration.seconds(300))
        if configuration.limits.idleTimeout == usual.idleTimeout { configuration.limits.idleTimeout = long }
        if configuration.limits.headTimeout == usual.headTimeout { configuration.limits.headTimeout = long }
        if configuration.limits.bodyTimeout == usual.bodyTimeout { configuration.limits.bodyTimeout = long }
        if configuration.limits.callTimeout == usual.callTimeout { configuration.limits.callTimeout = long }
        return configuration
    }

    private static func serve(
        _ source: any SampledSource, _ tap: EventTap, _ configuration: WebConfiguration,
        _ body: @Sendable (_ port: Int, _ stop: @escaping @Sendable () async -> Void) async throws -> Void
    ) async throws {
        let configuration = patient(configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let board = StatusBoard(
            collector: { source.snapshot() }, latency: { tap.latency }, beat: configuration.beat)
        let server = WebServer(configuration: configuration, board: board, source: source, tap: tap, logger: logger)
        let group = ServiceGroup(
            configuration: .init(services: [board, server], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            guard let port = await server.port else {
                try await tasks.next()
                throw DidNotStart()
            }
            let result: Result<Void, any Error>
            do {
                result = .success(try await body(port) { await group.triggerGracefulShutdown() })
            } catch {
                result = .failure(error)
            }
            await group.triggerGracefulShutdown()
            try result.get()
            try await tasks.waitForAll()
        }
    }
}
