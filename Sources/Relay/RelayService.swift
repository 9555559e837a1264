public import Collector
import FeedServer
public import Logging
public import MarketData
import NIOCore
import NIOPosix
public import ServiceLifecycle
public import Store
import Synchronization

/// Serves collected events to other programs, in the feed's own protocol: live events byte for byte as the feed sent
/// them and, on request, what the buffer holds before them.
///
/// Readers are served on one thread of the relay's own, behind a bounded queue.
public final class RelayService: Service, Sendable {
    private let configuration: RelayConfiguration
    private let keys: KeyRing
    private let tap: RelayTap
    private let buffer: TickBuffer
    private let symbols: any RelayedSymbols
    private let board: RelayBoard
    private let logger: Logger
    private let opened = Mutex<(group: MultiThreadedEventLoopGroup, hub: RelayHub, server: FeedServer, port: Int)?>(nil)

    /// Makes a relay of what passes through `tap`; opens nothing yet.
    ///
    /// - Parameter symbols: Knows which symbols are collected, and may start to collect more for readers.
    public init(
        configuration: RelayConfiguration, tap: RelayTap, buffer: TickBuffer, symbols: any RelayedSymbols,
        logger: Logger
    ) {
        self.configuration = configuration
        keys = KeyRing(configuration.keys)
        self.tap = tap
        self.buffer = buffer
        self.symbols = symbols
        self.logger = logger
        board = RelayBoard(
            RelayState(
                host: configuration.server.host, port: configuration.server.port,
                isEncrypted: configuration.server.tls != nil, maximumReaders: configuration.maximumClients,
                maximumOnDemand: configuration.maximumOnDemand))
    }

    /// The readers, and what was sent to them; from memory.
    public var state: RelayState { board.current }

    /// Accepts other keys from now on, and closes the readers that logged in with a key that is not among them. Whether
    /// a key is needed at all does not change until a restart.
    public func change(keys new: [Secret]) {
        switch keys.change(to: new) {
        case .same: break
        case .made:
            logger.notice("the relay's keys have changed", metadata: ["keys": "\(new.count)"])
            opened.withLock { $0?.hub }?.tell { $0.closeRevoked() }
        case .needsRestart:
            logger.error(
                "RELAY_KEYS was set or emptied: restart the collector for this to take effect; until then readers are admitted as before"
            )
        }
    }

    /// Opens the port, and returns it; readers are served from now on. A second call returns the same port.
    ///
    /// - Throws: `FeedServerError` when the address can't be used or a TLS file is wrong.
    @discardableResult
    public func bind() async throws -> Int {
        if let port = opened.withLock({ $0?.port }) { return port }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let hub = try await loop.submit { [self] in
            let desk = RelayDesk(
                configuration: configuration, keys: keys, tap: tap, buffer: buffer, board: board, symbols: symbols,
                logger: logger)
            let history = BarHistory(
                configuration: configuration, keys: keys, buffer: buffer, symbols: symbols,
                failures: ReadFailures(logger: logger))
            return RelayHub(desk, history: history, on: loop)
        }.get()
        let server = FeedServer(configuration: configuration.serverInEffect, host: hub, group: group, logger: logger)
        do {
            let port = try await server.bind()
            tap.attach { hub.tell { $0.drain() } }
            loop.scheduleRepeatedTask(initialDelay: .milliseconds(500), delay: .milliseconds(500)) { _ in
                hub.tell { desk in
                    desk.listen()
                    desk.reviewDemand()
                    desk.reviewLapses()
                    desk.publish()
                }
            }
            board.update { $0.port = port }
            opened.withLock { $0 = (group, hub, server, port) }
            logger.notice(
                "the relay is listening", metadata: ["host": "\(configuration.server.host)", "port": "\(port)"])
            return port
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// Serves readers until graceful shutdown, then closes their connections.
    public func run() async throws {
        try await bind()
        try? await gracefulShutdown()
        guard let opened = opened.withLock({ $0 }) else { return }
        tap.listen([])
        // "Service restart": after 1000 or 1001, the official clients do not reconnect.
        await opened.server.close(code: 1012, reason: "the collector is stopping", timeout: configuration.goodbye)
        tap.attach {}
        try? await opened.group.shutdownGracefully()
    }
}
