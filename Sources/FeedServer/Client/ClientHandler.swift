import Logging
import NIOCore
import NIOWebSocket

/// Conducts the conversation on one connection: passes WebSocket messages to the dialogue and performs its steps.
final class ClientHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame

    private let server: FeedServer
    private let agent: String?
    private var dialogue: Dialogue
    private var client: FeedClient?
    private var loginTimer: Scheduled<Void>?
    private var pinging: RepeatedTask?

    private var allowance: RequestAllowance?
    /// Set while reading is paused because the client exceeded its allowance.
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
        loginTimer = loop.scheduleTask(in: TimeAmount(server.configuration.loginTimeout)) {
            let handler = bound.value
            handler.perform(handler.dialogue.loginTimeEnded())
        }
        let interval = TimeAmount(server.configuration.pingInterval)
        pinging = loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [channel = context.channel] _ in
            if channel.isActive { bound.value.ping() }
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
            // More than the socket's buffers can hold after reading has stopped.
            client?.close(code: 1008, reason: "too many requests")
            return
        }
        switch frame.opcode {
        case .text: take(ClientRequest(Array(buffer: frame.unmaskedData)))
        case .binary: perform([.send([.error("requests must be text messages, not binary")])])
        case .ping:
            if let client, server.host.answersPing(of: client) { answer(.pong, Array(buffer: frame.unmaskedData)) }
        case .connectionClose: answerClose(frame.unmaskedData, context)
        default: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        server.logger.debug("client failed", metadata: ["client": "\(client?.id ?? 0)", "error": "\(error)"])
        switch error {
        case NIOWebSocketError.invalidFrameLength: client?.close(code: 1009, reason: "the message is too long")
        case is NIOWebSocketError: client?.close(code: 1002, reason: "invalid frame")
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

    /// Pauses reading for a while; what the client sends meanwhile waits in its socket.
    private func rest(_ delay: TimeAmount, _ context: ChannelHandlerContext) {
        guard resting == nil else { return }
        if !hasRested {
            hasRested = true
            server.logger.warning(
                "a client sends requests too fast; the server now reads from it more slowly",
                metadata: ["client": "\(client?.address ?? "")"])
        }
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        setReads(false, context)
        resting = loop.scheduleTask(in: delay) {
            let (handler, context) = bound.value
            handler.resting = nil
            // The last read may have brought more requests, which must be earned too.
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
            // A silent client wouldn't reply to a close message.
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
                // Strangers can cause refused logins as often as they like; those must not fill the log.
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

    /// Refuses the login after a delay, which slows down a program that retries at once.
    private func refuse(after delay: TimeAmount) {
        loginTimer?.cancel()
        let bound = NIOLoopBound(self, eventLoop: loop)
        loginTimer = loop.scheduleTask(in: delay) {
            let handler = bound.value
            handler.perform(handler.dialogue.loginDecided(.refused))
        }
    }

    /// Sends a message of the server; resets a client that requests more than it reads.
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

    /// Answers a close message with the same code if the server has not sent one already; then ends the connection.
    private func answerClose(_ payload: ByteBuffer, _ context: ChannelHandlerContext) {
        var payload = payload
        let isEmpty = payload.readableBytes == 0
        let code = isEmpty ? 1000 : payload.readInteger(as: UInt16.self) ?? 0
        // Codes such as 1005 must never be sent.
        let isAllowed = (1000...1003).contains(code) || (1007...1014).contains(code) || (3000...4999).contains(code)
        client?.close(code: isAllowed ? code : 1002, reason: "")
        // Writes complete in order, so this one completes after the close message.
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

/// How many bytes of requests a client may still send; reads no clock.
struct RequestAllowance {
    enum Verdict: Equatable {
        case within
        /// Read nothing more for this long.
        case wait(TimeAmount)
        /// The client owes more than a whole burst: close it.
        case tooMuch
    }

    /// The minimum cost of a message, in bytes.
    static let leastBytes = 64

    private let allowance: FeedServerConfiguration.Allowance
    /// What is left, in bytes; a negative number is owed.
    private var left: Int
    private var last: NIODeadline?

    init(_ allowance: FeedServerConfiguration.Allowance) {
        self.allowance = allowance
        left = allowance.burstBytes
    }

    /// Charges for a message of `length` bytes.
    mutating func take(_ length: Int, now: NIODeadline) -> Verdict {
        earn(now)
        left -= max(length, Self.leastBytes)
        guard left >= -allowance.burstBytes else { return .tooMuch }
        return debt.map { .wait($0) } ?? .within
    }

    /// Returns how long it takes to earn what is owed, or `nil` when nothing is.
    mutating func wait(now: NIODeadline) -> TimeAmount? {
        earn(now)
        return debt
    }

    private var debt: TimeAmount? {
        guard left < 0 else { return nil }
        // At least a millisecond, so that the wait earns something.
        return .milliseconds(max(1, Int64(-left) * 1000 / Int64(allowance.bytesPerSecond)))
    }

    private mutating func earn(_ now: NIODeadline) {
        guard let last else { return self.last = now }
        let earned = (now - last).nanoseconds / 1000 * Int64(allowance.bytesPerSecond) / 1_000_000
        // Time too short to earn anything is added to the next interval.
        guard earned > 0 else { return }
        left = min(allowance.burstBytes, left + Int(clamping: earned))
        self.last = now
    }
}
