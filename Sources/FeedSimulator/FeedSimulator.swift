import FeedServer
public import Logging
public import ServiceLifecycle
import Synchronization

/// A feed server that speaks the Massive stocks WebSocket protocol: it lets clients log in and subscribe, and sends
/// them recorded or made-up events.
///
/// There is one replay, shared like a live feed: each client gets what passes while its subscription lasts. Call
/// ``run()`` once. To learn the port first, call ``bind()`` before it.
public final class FeedSimulator: Service, Sendable {
    private let configuration: SimulatorConfiguration
    private let registry: ClientRegistry
    private let logger: Logger
    private let opened = Mutex<(server: FeedServer, source: any FrameSource, port: Int)?>(nil)

    /// Makes a simulator; nothing is opened yet.
    public init(configuration: SimulatorConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        registry = ClientRegistry(configuration)
    }

    /// The counts so far; read from memory.
    public var statistics: SimulatorStatistics { registry.statistics }

    /// Waits until the statistics satisfy a condition, and returns them; throws when the task is cancelled.
    ///
    /// The condition is evaluated again after each change, on any thread.
    @discardableResult
    public func statistics(
        where condition: @Sendable (SimulatorStatistics) -> Bool
    ) async throws -> SimulatorStatistics {
        var statistics = registry.statistics
        try await registry.signal.wait {
            statistics = registry.statistics
            return condition(statistics)
        }
        return statistics
    }

    /// Ends every connection without a close message; what was sent before still arrives.
    public func dropClients() {
        for client in registry.clients { client.connection.drop() }
    }

    /// Opens the source and the port, and returns the port; connections are served from now on.
    ///
    /// Throws ``SimulatorError`` when a setting is invalid or a capture can't be opened, and `FeedServerError` when a
    /// TLS file is missing or wrong or the address can't be used. A second call returns the same port. ``run()`` closes
    /// what is open when it ends.
    public func bind() async throws -> Int {
        if let port = opened.withLock({ $0?.port }) { return port }
        try configuration.validate()
        let source = try makeSource()
        var listening = configuration.server
        listening.maximumBacklogBytes = 2 * configuration.outboundLimitBytes + (32 << 20)
        let server = FeedServer(configuration: listening, host: registry, logger: logger)
        let port = try await server.bind()
        opened.withLock { $0 = (server, source, port) }
        logger.info("feed simulator listening", metadata: ["host": "\(listening.host)", "port": "\(port)"])
        return port
    }

    /// Serves clients until the replay is done (with ``SimulatorConfiguration/exitsWhenDone``), a graceful shutdown, or
    /// cancellation; then closes the clients' connections and the port.
    ///
    /// Throws as ``bind()`` does, and when a capture turns out to be broken; the clients then get code 1011.
    public func run() async throws {
        _ = try await bind()
        guard let opened = opened.withLock({ $0 }) else { return }
        let replay = Replay(configuration: configuration, source: opened.source, registry: registry, logger: logger)
        do {
            try await cancelWhenGracefulShutdown { [configuration] in
                try await replay.run()
                while !configuration.exitsWhenDone { try await Task.sleep(for: .seconds(3600)) }
            }
        } catch is CancellationError {
            await opened.server.close(code: 1001, reason: "shutting down")
            return
        } catch {
            await opened.server.close(code: 1011, reason: "the replay failed")
            throw error
        }
        await opened.server.close(code: 1000, reason: "the replay is done", timeout: Self.drainTimeout)
    }

    /// How long a client has, at the replay's end, to read what is left and to reply to the close.
    private static let drainTimeout: Duration = .seconds(60)

    private func makeSource() throws(SimulatorError) -> any FrameSource {
        var source: any FrameSource
        switch configuration.source {
        case .captures(let replay): source = try CaptureSource(replay, pace: configuration.pace)
        case .synthetic(let feed): source = SyntheticSource(feed, pace: configuration.pace)
        case .frames(let frame): source = WrittenSource(frame, pace: configuration.pace)
        }
        for case .lateCorrections(let share) in configuration.faults { source = CorrectionSource(source, share: share) }
        return source
    }
}
