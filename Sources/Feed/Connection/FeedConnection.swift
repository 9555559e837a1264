public import Logging
public import MarketData
import NIOCore
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// One WebSocket connection to the feed: logs in, subscribes, decodes, and hands the events to a sink.
///
/// It reconnects forever, with growing waits, until it is stopped. ``FeedConnection/StateMachine`` makes its decisions.
/// Data that was read never leaves the event loop before it reaches the sink.
public final class FeedConnection: Service, Sendable {
    private let configuration: FeedConfiguration
    private let eventLoop: any EventLoop
    private let state: FeedConnectionState
    private let sink: any EventSink
    private let tap: (any FrameTap)?
    private let logger: Logger
    private let stage: Mutex<Stage>

    private enum Stage {
        case unstarted(Interest)
        /// Stopped before it ran.
        case revoked
        case running(NIOLoopBound<FeedConnectionLoop>)
        case ended
    }

    /// Makes a connection that does nothing until ``run()``.
    ///
    /// - Parameters:
    ///   - interest: the symbols to subscribe to.
    ///   - sink: takes the events; called on the connection's event loop.
    ///   - tap: sees every text message before it is decoded, for recording.
    ///   - logger: gets the connection's name as metadata.
    public init(
        configuration: FeedConfiguration, interest: Interest, sink: any EventSink, tap: (any FrameTap)? = nil,
        logger: Logger
    ) {
        self.configuration = configuration
        self.sink = sink
        self.tap = tap
        var logger = logger
        logger[metadataKey: "connection"] = "\(DisplayText.escaped(configuration.name, limit: 60))"
        self.logger = logger
        eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        state = FeedConnectionState(configuration: configuration, interest: interest)
        stage = Mutex(.unstarted(interest))
    }

    /// Connects, and reconnects forever, until graceful shutdown or cancellation.
    ///
    /// It then sends a close frame, waits at most ``FeedConfiguration/closeTimeout`` for the answer, hands over what it
    /// read in that time, and returns.
    ///
    /// - Throws: ``FeedError/Reason/misuse`` if it ran before.
    public func run() async throws {
        let ended = eventLoop.makePromise(of: Void.self)
        let started = eventLoop.submit { [self] in try start(ended) }
        do {
            try await started.get()
        } catch {
            ended.succeed()
            throw error
        }
        try await withTaskCancellationOrGracefulShutdownHandler {
            try await ended.futureResult.get()
        } onCancelOrGracefulShutdown: { [self] in
            onLoop { $0.stop() }
        }
        stage.withLock { $0 = .ended }
    }

    /// Changes the symbols while running: subscribes and unsubscribes only the difference.
    ///
    /// Before ``run()`` it replaces the initial interest; after the connection has ended it does nothing.
    ///
    /// - Parameter missed: new symbols that are missed since the previous collector. It has no effect before ``run()``,
    ///   because everything that is wanted at the start counts as missed since then anyway.
    func setInterest(_ interest: Interest, missed: MissedSymbols? = nil) {
        let number = state.assign(interest)
        let isRunning = stage.withLock { stage in
            switch stage {
            case .unstarted:
                stage = .unstarted(interest)
                return false
            case .running: return true
            case .revoked, .ended: return false
            }
        }
        if isRunning { onLoop { $0.want(interest, missed: missed, number: number) } }
    }

    /// Ends the connection like a graceful shutdown; ``run()`` then returns.
    ///
    /// If called before ``run()``, that call returns at once.
    func stop() {
        stage.withLock { stage in
            if case .unstarted = stage { stage = .revoked }
        }
        onLoop { $0.stop() }
    }

    /// Calls `body` on the connection's event loop after each change of the status or of the confirmed channels.
    func onChange(_ body: @escaping @Sendable () -> Void) { state.listen(body) }

    /// The connection's state and counters, from memory; never blocks on the network.
    public var snapshot: FeedSnapshot { state.snapshot }

    private func start(_ ended: EventLoopPromise<Void>) throws {
        let loop = try stage.withLock { stage throws(FeedError) -> FeedConnectionLoop? in
            if case .revoked = stage { return nil }
            guard case .unstarted(let interest) = stage else {
                throw FeedError(
                    .misuse, operation: "run",
                    message: "connection \(configuration.name) was run before; make a new one")
            }
            let loop = FeedConnectionLoop(
                eventLoop: eventLoop, configuration: configuration, interest: interest, sink: sink, tap: tap,
                state: state, logger: logger, ended: ended)
            stage = .running(NIOLoopBound(loop, eventLoop: eventLoop))
            return loop
        }
        if let loop { loop.start() } else { ended.succeed() }
    }

    private func onLoop(_ body: @escaping @Sendable (FeedConnectionLoop) -> Void) {
        guard case .running(let loop) = stage.withLock({ $0 }) else { return }
        eventLoop.execute { body(loop.value) }
    }
}

/// Receives the raw text messages of a connection, for recording them.
public protocol FrameTap: AnyObject, Sendable {
    /// Receives a whole text message, valid only during the call, on the connection's event loop. Must not block.
    func received(_ message: UnsafeRawBufferPointer, receivedMicroseconds: Int64)
}
