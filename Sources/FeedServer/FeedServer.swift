public import Logging
import MarketData
import NIOCore
public import NIOPosix
import Synchronization

/// A server that speaks the Massive stocks WebSocket protocol: it greets clients, lets them log in and subscribe as its
/// host decides, and leaves what they are sent to the host.
///
/// Keeps the host alive while it has clients. Call ``bind()`` once, and ``close(code:reason:timeout:)`` at the end.
public final class FeedServer: Sendable {
    private struct State {
        var listener: (any Channel)?
        var clients: [FeedClient] = []
        var nextID = 1
        var sockets = 0
        var answers = 0
    }

    let configuration: FeedServerConfiguration
    let host: any FeedHost
    let logger: Logger
    private let group: MultiThreadedEventLoopGroup
    private let state = Mutex(State())
    private let backlog = Backlog()

    /// Makes a server; nothing is opened yet.
    ///
    /// - Parameter group: Whose event loops serve the clients.
    public init(
        configuration: FeedServerConfiguration, host: any FeedHost,
        group: MultiThreadedEventLoopGroup = .singleton, logger: Logger
    ) {
        self.configuration = configuration
        self.host = host
        self.group = group
        self.logger = logger
    }

    /// Tries whether the address can be listened on and the TLS files are right; nothing stays open.
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
        let listener = try await FeedListener(server: self, group: group).listen()
        state.withLock { $0.listener = listener }
        return listener.localAddress?.port ?? configuration.port
    }

    /// Closes the port, then says goodbye to the clients and waits until the last one has gone. Cancellation doesn't
    /// reach it.
    ///
    /// - Parameter timeout: How long a client has to read what waits for it; the usual time unless given.
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

    /// Counts a socket that was accepted; returns `false` for one too many.
    func opens(_ channel: any Channel) -> Bool {
        let isOpen = state.withLock { state in
            guard state.sockets < configuration.maximumSockets ?? .max else { return false }
            state.sockets += 1
            return true
        }
        if isOpen { channel.closeFuture.whenComplete { [self] _ in state.withLock { $0.sockets -= 1 } } }
        return isOpen
    }

    /// Counts a plain HTTP request; returns `false` for one too many at once.
    func beginsAnswer() -> Bool {
        state.withLock { state in
            guard state.answers < configuration.maximumAnswers ?? .max else { return false }
            state.answers += 1
            return true
        }
    }

    /// A plain HTTP request has its answer, or its connection is gone.
    func endsAnswer() { state.withLock { $0.answers -= 1 } }

    func add(_ channel: any Channel, agent: String?) -> FeedClient {
        state.withLock { state in
            let client = FeedClient(
                id: state.nextID, agent: agent.map { String($0.prefix(80)) }, channel: channel,
                closeTimeout: configuration.closeTimeout, host: host, backlog: backlog)
            state.nextID += 1
            state.clients.append(client)
            return client
        }
    }

    func remove(_ client: FeedClient) {
        state.withLock { $0.clients.removeAll { $0 === client } }
    }
}

/// Lets nobody in.
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
