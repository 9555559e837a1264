public import Logging
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
    }

    let configuration: FeedServerConfiguration
    let host: any FeedHost
    let logger: Logger
    private let group: MultiThreadedEventLoopGroup
    private let state = Mutex(State())

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

    /// The connections that are open, in the order in which they were made.
    public var clients: [FeedClient] { state.withLock { $0.clients } }

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

    func add(_ channel: any Channel) -> FeedClient {
        state.withLock { state in
            let client = FeedClient(
                id: state.nextID, channel: channel, closeTimeout: configuration.closeTimeout, host: host)
            state.nextID += 1
            state.clients.append(client)
            return client
        }
    }

    func remove(_ client: FeedClient) {
        state.withLock { $0.clients.removeAll { $0 === client } }
    }
}
