public import Collector
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle

/// The HTTP API, the metrics and the dashboard.
///
/// Responses come from a ``StatusBoard``, or wait a bounded time for the file of the buffer or the mirror. When the
/// group shuts down, the server takes no new requests, ends the event streams and finishes the responses under way.
public final class WebServer: Service {
    private let configuration: WebConfiguration
    private let logger: Logger
    private let binding: AsyncStream<Int>.Continuation
    private let bound: Task<Int?, Never>
    private let broadcast: EventBroadcast
    private let responder: RequestResponder
    private let room: SocketRoom
    /// All routes, so that tests can check their description.
    let routes: [Route]

    /// A server for a collector.
    ///
    /// - Parameters:
    ///   - board: The collector's samples.
    ///   - tap: The tap through which the collector's connections pass their events.
    public init(
        configuration: WebConfiguration, board: StatusBoard, source: any CollectorSource, tap: EventTap, logger: Logger
    ) {
        self.configuration = configuration
        self.logger = logger
        let (ports, binding) = AsyncStream.makeStream(of: Int.self)
        self.binding = binding
        bound = Task {
            for await port in ports { return port }
            return nil
        }
        let limits = configuration.limits
        let clients = EventClients(limit: limits.eventClients)
        let refusals = RefusalCounts()
        let runID = String(UInt32.random(in: 1...UInt32.max), radix: 36)
        let calls = BoundedCalls(width: limits.calls, limit: limits.callTimeout)
        let actions = BoundedCalls(width: 4, limit: limits.callTimeout)
        broadcast = EventBroadcast(board: board, tap: tap, clients: clients, runID: runID, beat: configuration.beat)
        let own =
            StateRoutes(source: source, board: board, clients: clients, refusals: refusals, actions: actions).routes
            + ConnectionRoutes(source: source, board: board, body: BodyReader(limits: limits), actions: actions).routes
            + DataRoutes(
                source: source, board: board, tap: tap, calls: calls,
                coverages: BoundedCalls(width: limits.coverageCalls, limit: limits.callTimeout),
                body: BodyReader(limits: limits),
                retries: BoundedCalls(width: 1, limit: limits.retryTimeout)
            ).routes
            + RelationshipRoutes(source: source, calls: calls, actions: actions).routes
            + broadcast.routes
            + DashboardRoutes().routes
        routes = own + [DashboardRoutes.description(of: own)]
        room = SocketRoom(limit: limits.connections, refusals: refusals)
        responder = RequestResponder(gate: RequestGate(configuration), table: RouteTable(routes), refusals: refusals)
    }

    deinit { binding.finish() }

    /// The port that the server listens on, once it does; `nil` if it could not be bound or the server has ended.
    public var port: Int? {
        get async { await bound.value }
    }

    /// Serves until graceful shutdown or cancellation.
    ///
    /// - Throws: ``WebError`` with the reason `bind` if the address can't be bound, or `ended` if the server ends by
    ///   itself.
    public func run() async throws {
        defer { binding.finish() }
        let limits = configuration.limits
        let room = room
        let application = Application(
            responder: responder,
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [SocketWatch(room: room, limits: limits)],
                    idleTimeout: TimeAmount(limits.idleTimeout),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes,
                        maxHeaderFieldCount: 100))),
            configuration: ApplicationConfiguration(address: .hostname(configuration.host, port: configuration.port)),
            services: [broadcast],
            onServerRunning: { [self] channel in started(channel) },
            logger: quiet(logger))
        do {
            try await application.run()
        } catch let error as IOError {
            throw WebError.bind(
                host: configuration.host, port: configuration.port, code: error.errnoCode, underlying: "\(error)")
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw WebError(reason: .ended, description: "the HTTP server ended: \(error)")
        }
    }

    private func started(_ channel: any Channel) {
        let port = channel.localAddress?.port ?? configuration.port
        logger.info("HTTP is ready", metadata: ["host": "\(configuration.host)", "port": "\(port)"])
        binding.yield(port)
    }

    /// Raises the framework's log level: at `info` it repeats what ``started(_:)`` logs.
    private func quiet(_ logger: Logger) -> Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .notice)
        return quiet
    }
}
