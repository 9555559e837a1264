import MarketData
public import NIOCore
import NIOPosix
import Synchronization

/// One client connection as the host sees it: its subscriptions, how much is queued for it, how to end it. Safe to use from
/// any thread.
public final class FeedClient: Sendable {
    private struct State {
        var subscriptions = Subscriptions()
        var isLoggedIn = false
        var isEnding = false
        var pendingBytes = 0
        var pendingEvents = 0
    }

    /// A number that is unique within the server, from 1.
    public let id: Int
    /// The client's address and port.
    public var address: String {
        guard let address = channel.remoteAddress, let host = address.ipAddress else { return "unknown" }
        return HostName.authority(host, port: address.port)
    }
    /// The first 80 characters of the client's `User-Agent`.
    public let agent: String?
    let channel: any Channel
    private let server: FeedServer
    private let state = Mutex(State())

    init(id: Int, agent: String?, channel: any Channel, server: FeedServer) {
        self.id = id
        self.agent = agent
        self.channel = channel
        self.server = server
    }

    /// Whether the client is logged in, has subscribed to something, and isn't being closed.
    public var isSubscribed: Bool {
        state.withLock { $0.isLoggedIn && !$0.isEnding && !$0.subscriptions.channels.isEmpty }
    }

    /// Whether the connection is being closed; further requests are then ignored.
    public var isEnding: Bool { state.withLock { $0.isEnding } }

    /// The number of bytes that wait to be written to its socket.
    public var pendingBytes: Int { state.withLock { $0.pendingBytes } }

    /// The number of bytes that wait for all clients of its server.
    public var allPendingBytes: Int { server.pendingBytes.load(ordering: .relaxed) }

    /// The number of events among ``pendingBytes``, as given to ``send(_:events:)``.
    public var pendingEvents: Int { state.withLock { $0.pendingEvents } }

    /// What it has subscribed to.
    public var subscriptions: Subscriptions { state.withLock { $0.subscriptions } }

    var isLoggedIn: Bool { state.withLock { $0.isLoggedIn } }

    func loggedIn() { state.withLock { $0.isLoggedIn = true } }

    func subscribed(to subscriptions: Subscriptions) { state.withLock { $0.subscriptions = subscriptions } }

    func ended() async { try? await channel.closeFuture.get() }

    /// Sends bytes that already are WebSocket frames.
    public func send(_ bytes: ByteBuffer) { send([bytes]) }

    /// Sends a status.
    public func send(_ message: StatusMessage) { send(WireFrame.text(StatusMessage.text([message]))) }

    /// Sends several pieces at once, in order; each must consist of WebSocket frames.
    ///
    /// - Parameter events: The number of events that they hold, counted in ``pendingEvents`` while they wait.
    public func send(_ parts: [ByteBuffer], events: Int = 0) {
        let count = parts.reduce(0) { $0 + $1.readableBytes }
        guard count > 0 else { return }
        state.withLock { state in
            state.pendingBytes += count
            state.pendingEvents += events
        }
        server.pendingBytes.add(count, ordering: .relaxed)
        let promise = channel.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { [self] _ in
            server.pendingBytes.subtract(count, ordering: .relaxed)
            state.withLock { state in
                state.pendingBytes -= count
                state.pendingEvents -= events
            }
            server.host.progressed(self)
        }
        for part in parts.dropLast() { channel.write(part, promise: nil) }
        channel.writeAndFlush(parts[parts.count - 1], promise: promise)
    }

    /// Closes the connection in order: sends what is queued, then the status if given, then a close message, and ends the
    /// connection when the client has replied.
    ///
    /// The socket is closed after `timeout` at the latest, by default ``FeedServerConfiguration/closeTimeout``.
    public func close(code: UInt16, reason: String, status: StatusMessage? = nil, timeout: Duration? = nil) {
        guard beginEnding() else { return }
        if let status { send(status) }
        send(WireFrame.close(code: code, reason: reason))
        close(after: timeout)
    }

    /// Ends the connection without a close message, after what waits has been written.
    public func drop() {
        guard beginEnding() else { return }
        channel.writeAndFlush(ByteBuffer()).whenComplete { [channel] _ in
            // Closing both directions while bytes from the client are unread would reset the connection and lose data
            // in flight.
            channel.close(mode: .output, promise: nil)
        }
        close(after: nil)
    }

    /// Ends the connection with a TCP reset, after what waits has been written.
    public func reset() {
        guard beginEnding() else { return }
        channel.writeAndFlush(ByteBuffer()).whenComplete { [channel] _ in
            let lingering = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            let ready = lingering ?? channel.eventLoop.makeSucceededVoidFuture()
            ready.whenComplete { _ in channel.close(promise: nil) }
        }
        // If the client reads nothing, what waits is never written.
        close(after: nil)
    }

    private func beginEnding() -> Bool {
        let isFirst = state.withLock { state in
            defer { state.isEnding = true }
            return !state.isEnding
        }
        if isFirst { server.host.progressed(self) }
        return isFirst
    }

    /// Closes the socket after `timeout`, by default ``FeedServerConfiguration/closeTimeout``. It starts on the event
    /// loop, behind the writes already handed to it.
    private func close(after timeout: Duration?) {
        let timeout = TimeAmount(timeout ?? server.configuration.closeTimeout)
        channel.eventLoop.execute { [channel] in
            let timer = channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
            channel.closeFuture.whenComplete { _ in timer.cancel() }
        }
    }
}
