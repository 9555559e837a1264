import NIOCore
import NIOPosix
import Synchronization

/// One connection as the replay sees it: what it wants, how much waits for it, and how to end it; from any thread.
final class FeedClient: Sendable {
    private struct State {
        var subscriptions = Subscriptions()
        var isLoggedIn = false
        var isStalled = false
        var isEnding = false
        var pendingBytes = 0
        var faults: FaultPlan
    }

    let id: Int
    private let channel: any Channel
    private let closeTimeout: TimeAmount
    private let signal: ChangeSignal
    private let state: Mutex<State>

    init(id: Int, channel: any Channel, faults: [Fault], closeTimeout: Duration, signal: ChangeSignal) {
        self.id = id
        self.channel = channel
        self.closeTimeout = TimeAmount(closeTimeout)
        self.signal = signal
        state = Mutex(State(faults: FaultPlan(faults)))
    }

    /// Whether the replay sends it anything.
    var isReceiving: Bool {
        state.withLock { $0.isLoggedIn && !$0.isStalled && !$0.isEnding && !$0.subscriptions.channels.isEmpty }
    }

    /// The number of bytes that wait to be written to its socket.
    var pendingBytes: Int { state.withLock { $0.pendingBytes } }

    /// The number of channels subscribed to.
    var subscriptionCount: Int { state.withLock { $0.subscriptions.channels.count } }

    /// What it has subscribed to.
    var filter: FrameFilter { FrameFilter(subscriptions: state.withLock { $0.subscriptions }) }

    /// Whether no fault acts on its frames.
    var isPlain: Bool { state.withLock { $0.faults.isEmpty } }

    /// The size of its fragments; `nil` leaves frames whole.
    var fragmentBytes: Int? { state.withLock { $0.faults.fragmentBytes } }

    func nextDecision(spent: inout Set<Int>) -> FaultPlan.Decision {
        state.withLock { $0.faults.nextFrame(spent: &spent) }
    }

    func loggedIn() { state.withLock { $0.isLoggedIn = true } }

    func subscribed(to subscriptions: Subscriptions) { state.withLock { $0.subscriptions = subscriptions } }

    /// Sends it no more, and leaves the connection open.
    func stall() { state.withLock { $0.isStalled = true } }

    /// Writes bytes that are WebSocket frames already.
    func send(_ bytes: ByteBuffer) {
        let count = bytes.readableBytes
        guard count > 0 else { return }
        state.withLock { $0.pendingBytes += count }
        let promise = channel.eventLoop.makePromise(of: Void.self)
        promise.futureResult.whenComplete { [self] _ in
            state.withLock { $0.pendingBytes -= count }
            signal.changed()
        }
        channel.writeAndFlush(bytes, promise: promise)
    }

    /// Says goodbye: what waits, a status if there is one, and a close message; ends when the client has answered.
    ///
    /// The socket is closed after `timeout` at the latest; the usual one unless given.
    func close(code: UInt16, reason: String, status: StatusMessage? = nil, timeout: Duration? = nil) {
        guard beginEnding() else { return }
        if let status { send(WireFrame.text(StatusMessage.text([status]))) }
        send(WireFrame.close(code: code, reason: reason))
        close(after: timeout.map { TimeAmount($0) } ?? closeTimeout)
    }

    /// Ends the connection without a close message, after what waits has been written.
    func drop() {
        guard beginEnding() else { return }
        channel.writeAndFlush(ByteBuffer()).whenComplete { [channel] _ in
            // Closing both ways with the client's bytes unread would reset the connection and lose what it hasn't read.
            channel.close(mode: .output, promise: nil)
        }
        close(after: closeTimeout)
    }

    /// Ends the connection with a TCP reset, after what waits has been written.
    func reset() {
        guard beginEnding() else { return }
        channel.writeAndFlush(ByteBuffer()).whenComplete { [channel] _ in
            let lingering = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            let ready = lingering ?? channel.eventLoop.makeSucceededVoidFuture()
            ready.whenComplete { _ in channel.close(promise: nil) }
        }
    }

    private func beginEnding() -> Bool {
        let isFirst = state.withLock { state in
            defer { state.isEnding = true }
            return !state.isEnding
        }
        if isFirst { signal.changed() }
        return isFirst
    }

    /// The time starts on the event loop, after the writes that were handed to it before.
    private func close(after timeout: TimeAmount) {
        channel.eventLoop.execute { [channel] in
            let timer = channel.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
            channel.closeFuture.whenComplete { _ in timer.cancel() }
        }
    }
}
