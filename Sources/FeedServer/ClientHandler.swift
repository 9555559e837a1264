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
    private var lastSign = NIODeadline.now()

    init(server: FeedServer, agent: String?) {
        self.server = server
        self.agent = agent
        dialogue = Dialogue(offersReplays: server.configuration.offersReplays)
        allowance = server.configuration.requestAllowance.map { RequestAllowance($0) }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let client = server.add(context.channel, agent: agent)
        self.client = client
        server.logger.info("client connected", metadata: ["client": "\(client.id)"])
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let loopBoundContext = NIOLoopBound(context, eventLoop: context.eventLoop)
        loginTimer = context.eventLoop.scheduleTask(in: TimeAmount(server.configuration.loginTimeout)) {
            let handler = bound.value
            handler.perform(handler.dialogue.loginTimeEnded())
        }
        let interval = TimeAmount(server.configuration.pingInterval)
        pinging = context.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
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
        if allowance?.takes(frame.length, now: lastSign) == false {
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
        case is NIOWebSocketFrameAggregator.Error: client?.close(code: 1002, reason: "invalid fragments")
        default: context.close(promise: nil)
        }
    }

    private func take(_ request: ClientRequest) {
        guard let client, !client.isEnding else { return }
        server.host.requested(by: client)
        guard !client.isEnding else { return }
        perform(
            dialogue.received(request) { [host = server.host] channel, replayed in
                host.refusal(of: channel, to: client, replayed: replayed)
            })
    }

    private func ping() {
        if let limit = server.configuration.silenceLimit, NIODeadline.now() - lastSign > TimeAmount(limit) {
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
                    client.loggedIn()
                    loginTimer?.cancel()
                }
                server.logger.info("login", metadata: ["client": "\(client.id)", "verdict": "\(verdict)"])
                perform(dialogue.loginDecided(verdict))
            case .replay(let channels, let span): server.host.replay(channels, span, to: client)
            case .subscriptionsChanged(let channels):
                client.subscribed(to: dialogue.subscriptions)
                server.host.subscriptionsChanged(of: client, channels)
            case .close(let code, let reason): client.close(code: code, reason: reason)
            }
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
        let code = payload.getInteger(at: payload.readerIndex, as: UInt16.self) ?? 1000
        client?.close(code: code == 1005 ? 1000 : code, reason: "")
        // The queue is first in, first out: this write ends after the close message.
        let channel = context.channel
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(promise: nil) }
    }

    private func end() {
        loginTimer?.cancel()
        pinging?.cancel()
        guard let client else { return }
        self.client = nil
        server.remove(client)
        server.host.disconnected(client)
        server.logger.info("client disconnected", metadata: ["client": "\(client.id)"])
    }
}

/// What a client may still ask for; reads no clock.
struct RequestAllowance {
    /// What every message costs at least, in bytes.
    static let leastBytes = 64

    private let allowance: FeedServerConfiguration.Allowance
    private var left: Int
    private var last: NIODeadline?

    init(_ allowance: FeedServerConfiguration.Allowance) {
        self.allowance = allowance
        left = allowance.burstBytes
    }

    /// Takes a message of a length; returns `false` when it is too much.
    mutating func takes(_ length: Int, now: NIODeadline) -> Bool {
        if let last {
            let earned = (now - last).nanoseconds / 1000 * Int64(allowance.bytesPerSecond) / 1_000_000
            left = min(allowance.burstBytes, left + Int(clamping: max(0, earned)))
        }
        last = now
        left -= max(length, Self.leastBytes)
        return left >= 0
    }
}
