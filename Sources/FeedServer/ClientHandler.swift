import Logging
import NIOCore
import NIOWebSocket

/// Carries out one connection's conversation: WebSocket messages in, the dialogue's steps out.
final class ClientHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame

    private let server: FeedServer
    private let agent: String?
    private var dialogue: Dialogue
    private var client: FeedClient?
    private var loginTimer: Scheduled<Void>?
    private var pinging: RepeatedTask?

    private var allowance: RequestAllowance?
    /// Set while nothing is read of a client that asked for too much.
    private var resting: Scheduled<Void>?
    private var hasRested = false
    private var lastSign = NIODeadline.now()

    private let loop: any EventLoop

    init(server: FeedServer, agent: String?, loop: any EventLoop) {
        self.server = server
        self.loop = loop
        self.agent = agent
        dialogue = Dialogue(offersReplays: server.configuration.offersReplays)
        allowance = server.configuration.requestAllowance.map { RequestAllowance($0) }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let client = server.add(context.channel, agent: agent)
        self.client = client
        server.logger.debug("client connected", metadata: ["client": "\(client.id)"])
        let bound = NIOLoopBound(self, eventLoop: loop)
        let loopBoundContext = NIOLoopBound(context, eventLoop: loop)
        loginTimer = loop.scheduleTask(in: TimeAmount(server.configuration.loginTimeout)) {
            let handler = bound.value
            handler.perform(handler.dialogue.loginTimeEnded())
        }
        let interval = TimeAmount(server.configuration.pingInterval)
        pinging = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            guard loopBoundContext.value.channel.isActive else { return }
            bound.value.ping()
        }
        perform(dialogue.opened())
        server.host.connected(client)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        lastSign = .now()
        switch allowance?.take(frame.length, now: lastSign) {
        case nil, .within: break
        case .wait(let delay): rest(delay, context)
        case .tooMuch:
            // More than the socket's buffers bring after reading has stopped.
            client?.close(code: 1008, reason: "too many requests")
            return
        }
        switch frame.opcode {
        case .text: take(ClientRequest(Array(buffer: frame.unmaskedData)))
        case .binary: perform([.send([.error("requests are text messages")])])
        case .ping:
            if let client, server.host.answersPing(of: client) {
                answer(.pong, Array(buffer: frame.unmaskedData))
            }
        case .connectionClose: answerClose(frame.unmaskedData, context)
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        server.logger.debug("client failed", metadata: ["client": "\(client?.id ?? 0)", "error": "\(error)"])
        switch error {
        case let error as NIOWebSocketError:
            if error == .invalidFrameLength {
                client?.close(code: 1009, reason: "the message is too long")
            } else {
                client?.close(code: 1002, reason: "invalid frame")
            }
        case let fault as ClientFrameRules.Fault: client?.close(code: 1002, reason: fault.rawValue)
        case is NIOWebSocketFrameAggregator.Error: client?.close(code: 1002, reason: "invalid fragments")
        default: context.close(promise: nil)
        }
    }

    private func take(_ request: ClientRequest) {
        guard let client, !client.isEnding else { return }
        server.host.requested(by: client)
        guard !client.isEnding else { return }
        perform(
            dialogue.received(request) { [host = server.host] channels, replayed in
                host.refusals(of: channels, to: client, replayed: replayed)
            })
    }

    /// Reads no more for a while: what the client sends then waits in its own socket.
    private func rest(_ delay: TimeAmount, _ context: ChannelHandlerContext) {
        guard resting == nil else { return }
        if !hasRested {
            hasRested = true
            server.logger.warning(
                "a client sends requests too fast: it is read slowly", metadata: ["client": "\(client?.address ?? "")"])
        }
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        setReads(false, context)
        resting = loop.scheduleTask(in: delay) {
            let (handler, context) = bound.value
            handler.resting = nil
            // What the last read had brought is to be earned too.
            if let more = handler.allowance?.wait(now: .now()) { return handler.rest(more, context) }
            handler.lastSign = .now()
            handler.setReads(true, context)
        }
    }

    private func setReads(_ reads: Bool, _ context: ChannelHandlerContext) {
        _ = context.channel.setOption(.autoRead, value: reads)
    }

    private func ping() {
        if resting == nil, let limit = server.configuration.silenceLimit,
            NIODeadline.now() - lastSign > TimeAmount(limit)
        {
            // Nobody is there to answer a close.
            client?.reset()
            return
        }
        answer(.ping, [])
    }

    private func perform(_ steps: [Dialogue.Step]) {
        guard let client else { return }
        for step in steps {
            switch step {
            case .send(let messages): answer(.text, Array(StatusMessage.text(messages).utf8))
            case .decideLogin(let key):
                let verdict = server.host.login(of: client, key: key)
                if verdict == .accepted {
                    server.loggedIn(client)
                    loginTimer?.cancel()
                }
                // What strangers bring about as often as they like is not for everyone's log.
                server.logger.log(
                    level: verdict == .accepted ? .info : .debug, "login",
                    metadata: ["client": "\(client.id)", "address": "\(client.address)", "verdict": "\(verdict)"])
                if verdict == .refused, let delay = server.configuration.refusalDelay {
                    refuse(after: TimeAmount(delay))
                } else {
                    perform(dialogue.loginDecided(verdict))
                }
            case .replay(let channels, let span): server.host.replay(channels, span, to: client)
            case .subscriptionsChanged(let channels):
                client.subscribed(to: dialogue.subscriptions)
                server.host.subscriptionsChanged(of: client, channels)
            case .close(let code, let reason): client.close(code: code, reason: reason)
            }
        }
    }

    /// A program that tries again at once is not let to do so without end.
    private func refuse(after delay: TimeAmount) {
        loginTimer?.cancel()
        let bound = NIOLoopBound(self, eventLoop: loop)
        loginTimer = loop.scheduleTask(in: delay) {
            let handler = bound.value
            handler.perform(handler.dialogue.loginDecided(.refused))
        }
    }

    /// Sends a message of our own; a client that asks for more than it reads is cut off.
    private func answer(_ opcode: WireFrame.Opcode, _ payload: [UInt8]) {
        guard let client else { return }
        guard client.pendingBytes <= server.configuration.maximumBacklogBytes else {
            client.reset()
            return
        }
        var bytes = ByteBuffer()
        payload.withUnsafeBytes { WireFrame.append(opcode, $0, to: &bytes) }
        client.send(bytes)
    }

    /// Answers a close with the same code, or ends the connection when this is the client's answer to ours.
    private func answerClose(_ payload: ByteBuffer, _ context: ChannelHandlerContext) {
        var payload = payload
        let isEmpty = payload.readableBytes == 0
        let code = isEmpty ? 1000 : payload.readInteger(as: UInt16.self) ?? 0
        // 1005 and the like are never sent.
        let isSound = (1000...1003).contains(code) || (1007...1014).contains(code) || (3000...4999).contains(code)
        client?.close(code: isSound ? code : 1002, reason: "")
        // The queue is first in, first out: this write ends after the close message.
        let channel = context.channel
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(promise: nil) }
    }

    private func end() {
        loginTimer?.cancel()
        pinging?.cancel()
        resting?.cancel()
        guard let client else { return }
        self.client = nil
        server.remove(client)
        server.host.disconnected(client)
        server.logger.log(
            level: client.isLoggedIn ? .info : .debug, "client disconnected", metadata: ["client": "\(client.id)"])
    }
}

/// What a client may still ask for; reads no clock.
struct RequestAllowance {
    /// What a message comes to.
    enum Verdict: Equatable {
        case within
        /// Nothing more is to be read for so long.
        case wait(TimeAmount)
        /// A burst more than was allowed.
        case tooMuch
    }

    /// What every message costs at least, in bytes.
    static let leastBytes = 64

    private let allowance: FeedServerConfiguration.Allowance
    /// Below zero is owed.
    private var left: Int
    private var last: NIODeadline?

    init(_ allowance: FeedServerConfiguration.Allowance) {
        self.allowance = allowance
        left = allowance.burstBytes
    }

    /// Takes a message of a length.
    mutating func take(_ length: Int, now: NIODeadline) -> Verdict {
        earn(now)
        left -= max(length, Self.leastBytes)
        guard left >= -allowance.burstBytes else { return .tooMuch }
        return debt.map { .wait($0) } ?? .within
    }

    /// How long it takes to earn what is owed; `nil` when nothing is.
    mutating func wait(now: NIODeadline) -> TimeAmount? {
        earn(now)
        return debt
    }

    private var debt: TimeAmount? {
        guard left < 0 else { return nil }
        // Never so short that nothing would be earned.
        return .milliseconds(max(1, Int64(-left) * 1000 / Int64(allowance.bytesPerSecond)))
    }

    private mutating func earn(_ now: NIODeadline) {
        guard let last else { return self.last = now }
        let earned = (now - last).nanoseconds / 1000 * Int64(allowance.bytesPerSecond) / 1_000_000
        // A moment too short to earn anything counts with the next.
        guard earned > 0 else { return }
        left = min(allowance.burstBytes, left + Int(clamping: earned))
        self.last = now
    }
}
