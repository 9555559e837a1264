public import Logging
import MarketData
import NIOCore
public import NIOPosix
import NIOSSL
import Synchronization

/// A server that speaks the Massive stocks WebSocket protocol: it greets clients and lets them log in and subscribe as
/// its host decides. The host sends the events.
///
/// The server keeps the host alive. Call ``bind()`` once, and ``close(code:reason:timeout:)`` at the end.
public final class FeedServer: Sendable {
    private struct State {
        var listener: (any Channel)?
        var clients: [FeedClient] = []
        var nextID = 1
        var answers = 0
    }

    let configuration: FeedServerConfiguration
    let host: any FeedHost
    let logger: Logger
    let group: MultiThreadedEventLoopGroup
    private let state = Mutex(State())
    private let room: Mutex<WaitingRoom<ObjectIdentifier, any Channel>>
    /// The number of bytes that wait for all clients.
    let pendingBytes = Atomic(0)

    /// Makes a server; nothing is opened yet.
    ///
    /// - Parameter group: The event loops that serve the clients.
    public init(
        configuration: FeedServerConfiguration, host: any FeedHost,
        group: MultiThreadedEventLoopGroup = .singleton, logger: Logger
    ) {
        self.configuration = configuration
        self.host = host
        self.group = group
        self.logger = logger
        room = Mutex(WaitingRoom(limit: configuration.maximumSockets ?? .max))
    }

    /// Checks that the server can listen on the address and that the TLS files are valid; nothing stays open. Throws
    /// when it can't.
    public static func check(_ configuration: FeedServerConfiguration) async throws(FeedServerError) {
        let server = FeedServer(
            configuration: configuration, host: Nobody(),
            logger: Logger(label: "check") { _ in SwiftLogNoOpLogHandler() })
        _ = try await server.bind()
        await server.close(code: 1001, reason: "this was a check")
    }

    /// The connections that are open, in the order in which they were made.
    var clients: [FeedClient] { state.withLock { $0.clients } }

    /// Opens the port, and returns it; connections are served from now on.
    ///
    /// - Throws: When the address can't be used or a TLS file is wrong.
    public func bind() async throws(FeedServerError) -> Int {
        let listener = try await listen()
        state.withLock { $0.listener = listener }
        return listener.localAddress?.port ?? configuration.port
    }

    /// Closes the port, then closes all clients and waits until the last one has gone. Cancelling the task doesn't
    /// interrupt this.
    ///
    /// - Parameter timeout: How long a client has to read what waits for it, by default
    ///   ``FeedServerConfiguration/closeTimeout``.
    public func close(code: UInt16, reason: String, timeout: Duration? = nil) async {
        await Task { [self] in
            let listener = state.withLock { state in
                defer { state.listener = nil }
                return state.listener
            }
            try? await listener?.close()
            while let client = clients.first {
                for client in clients { client.close(code: code, reason: reason, timeout: timeout) }
                await client.ended()
            }
        }.value
    }

    /// Registers an accepted socket, and closes another when there are too many.
    func opens(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let evicted = room.withLock { $0.enter(id, channel) }
        channel.closeFuture.whenComplete { [self] _ in room.withLock { $0.leave(id) } }
        guard let evicted else { return }
        evicted.eventLoop.execute {
            // Closing the channel itself would wait for the other side's TLS close, with the socket open meanwhile.
            if let tls = try? evicted.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self) {
                tls.close(promise: nil)
            } else {
                evicted.close(promise: nil)
            }
        }
        host.madeRoom()
    }

    /// Notes that a client's login was accepted; its socket is now closed to make room only if no other one waits.
    func loggedIn(_ client: FeedClient) {
        client.loggedIn()
        room.withLock { $0.change(ObjectIdentifier(client.channel), isServed: true) }
    }

    /// Counts a plain HTTP request; returns `false` when too many are being answered already.
    func beginsAnswer(on channel: any Channel) -> Bool {
        let begins = state.withLock { state in
            guard state.answers < configuration.maximumAnswers ?? .max else { return false }
            state.answers += 1
            return true
        }
        if begins { room.withLock { $0.change(ObjectIdentifier(channel), isServed: true) } }
        return begins
    }

    /// Notes that a plain HTTP request has been answered, or that its connection is gone.
    func endsAnswer(on channel: any Channel) {
        state.withLock { $0.answers -= 1 }
        room.withLock { $0.change(ObjectIdentifier(channel), isServed: false) }
    }

    func add(_ channel: any Channel, agent: String?) -> FeedClient {
        state.withLock { state in
            let client = FeedClient(
                id: state.nextID, agent: agent.map { String($0.prefix(80)) }, channel: channel, server: self)
            state.nextID += 1
            state.clients.append(client)
            return client
        }
    }

    func remove(_ client: FeedClient) { state.withLock { $0.clients.removeAll { $0 === client } } }
}

/// A host that refuses every login.
private final class Nobody: FeedHost {
    func connected(_ client: FeedClient) {}
    func disconnected(_ client: FeedClient) {}
    func login(of client: FeedClient, key: String) -> LoginVerdict { .refused }
    func refusals(of channels: [FeedChannel], to client: FeedClient, replayed: Bool) -> [FeedChannel: StatusMessage] {
        [:]
    }
    func subscriptionsChanged(of client: FeedClient, _ channels: [FeedChannel]) {}
    func progressed(_ client: FeedClient) {}
}
