import Glibc
import NIOCore
import NIOWebSocket
import Synchronization

/// The server's side of one connection.
final class ScriptedPeer: Sendable {
    /// What came from the client.
    enum Message: Equatable, Sendable {
        case text(String)
        case ping
        case pong([UInt8])
        case close(UInt16?)
        /// A frame that no client may send: not masked.
        case unmasked
    }

    struct Ended: Error {}

    let channel: any Channel
    /// The path that the handshake asked for.
    let target: String
    /// The connection's number, from 0.
    let index: Int
    private let inbox = Inbox<Message>()
    private let pings = Mutex<(answered: Int, isOn: Bool)>((0, false))

    init(channel: any Channel, target: String, index: Int) {
        self.channel = channel
        self.target = target
        self.index = index
    }

    // MARK: Reading

    func received(_ frame: WebSocketFrame) {
        guard frame.maskKey != nil else { return inbox.put(.unmasked) }
        var data = frame.unmaskedData
        switch frame.opcode {
        case .text: inbox.put(.text(String(buffer: data)))
        case .ping:
            guard answersPing() else { return inbox.put(.ping) }
            channel.writeAndFlush(WebSocketFrame(fin: true, opcode: .pong, data: data), promise: nil)
        case .pong: inbox.put(.pong(Array(data.readableBytesView)))
        case .connectionClose: inbox.put(.close(data.readInteger()))
        default: break
        }
    }

    func ended() { inbox.end() }

    /// From now on pings are answered at once, on the event loop, and not put in the inbox.
    func answerPings() { pings.withLock { $0.isOn = true } }

    /// How many pings were answered in this way.
    var answeredPings: Int { pings.withLock { $0.answered } }

    private func answersPing() -> Bool {
        pings.withLock { pings in
            if pings.isOn { pings.answered += 1 }
            return pings.isOn
        }
    }

    /// The next message of any kind; throws when the client is gone.
    func next() async throws -> Message {
        guard let message = await inbox.next() else { throw Ended() }
        return message
    }

    /// The next text; throws when the client says goodbye or is gone.
    func text() async throws -> String {
        while true {
            switch try await next() {
            case .text(let text): return text
            case .close: throw Ended()
            default: break
            }
        }
    }

    /// Waits until the client says goodbye or closes the socket.
    func untilClosed() async {
        while let message = await inbox.next() {
            if case .close = message { return }
        }
    }

    /// Waits until the client closes the socket, and leaves its goodbye unanswered.
    func untilGone() async {
        while await inbox.next() != nil {}
    }

    // MARK: Writing

    func send(_ text: String) { frame(text: text) }

    func status(_ status: String, _ message: String) {
        send(#"[{"ev":"status","status":"\#(status)","message":"\#(message)"}]"#)
    }

    func frame(
        _ opcode: WebSocketOpcode = .text, final: Bool = true, rsv1: Bool = false, masked: Bool = false,
        text: String = ""
    ) {
        frame(opcode, final: final, rsv1: rsv1, masked: masked, bytes: Array(text.utf8))
    }

    func frame(
        _ opcode: WebSocketOpcode, final: Bool = true, rsv1: Bool = false, masked: Bool = false, bytes: [UInt8]
    ) {
        let frame = WebSocketFrame(
            fin: final, rsv1: rsv1, opcode: opcode, maskKey: masked ? .random() : nil, data: ByteBuffer(bytes: bytes))
        channel.writeAndFlush(frame, promise: nil)
    }

    /// Sends bytes as they are, past the encoder, `chop` of them at a time unless that is 0.
    func raw(_ bytes: [UInt8], chop: Int = 0) async throws {
        for start in stride(from: 0, to: bytes.count, by: chop > 0 ? chop : max(1, bytes.count)) {
            let end = chop > 0 ? min(bytes.count, start + chop) : bytes.count
            let buffer = ByteBuffer(bytes: bytes[start..<end])
            try await channel.eventLoop.submit { [channel] in
                let encoder = try channel.pipeline.syncOperations.context(handlerType: WebSocketFrameEncoder.self)
                encoder.writeAndFlush(NIOAny(buffer), promise: nil)
            }.get()
        }
    }

    func close(_ code: UInt16?) {
        frame(.connectionClose, bytes: code.map { [UInt8($0 >> 8), UInt8($0 & 0xFF)] } ?? [])
    }

    /// Waits until the kernel has taken everything that was sent.
    func untilSent() async throws {
        let frame = WebSocketFrame(fin: true, opcode: .pong, data: ByteBuffer())
        try await channel.writeAndFlush(frame)
    }

    /// Closes the socket without a word.
    func hangUp() { channel.close(promise: nil) }

    /// Closes the socket with a reset instead of an end.
    func reset() async throws {
        try await (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
        try await channel.close()
    }

    // MARK: The feed's dialogue

    /// Greets, takes the login and answers it; returns the login as the client sent it.
    @discardableResult
    func login(answer: String? = "auth_success") async throws -> String {
        status("connected", "Connected Successfully")
        let login = try await text()
        if let answer { status(answer, "the answer to the login") }
        return login
    }

    /// Takes one subscribe or unsubscribe message, and returns its channels.
    func channels(_ action: String = "subscribe") async throws -> [String] {
        let text = try await text()
        let head = #"{"action":"\#(action)","params":""#
        guard text.hasPrefix(head), text.hasSuffix(#""}"#) else { return ["not a \(action): \(text)"] }
        return text.dropFirst(head.count).dropLast(2).split(separator: ",").map(String.init)
    }

    /// Greets, logs in, and confirms one subscribe message.
    @discardableResult
    func stand() async throws -> [String] {
        try await login()
        let channels = try await channels()
        confirm(channels)
        return channels
    }

    func confirm(_ channels: [String]) {
        let statuses = channels.map { #"{"ev":"status","status":"success","message":"subscribed to: \#($0)"}"# }
        send("[" + statuses.joined(separator: ",") + "]")
    }

    /// Sends a trade whose price is `number`.
    func trade(_ number: Int, symbol: String = "AAPL") { send(Self.trade(number, symbol: symbol)) }

    /// Sends `count` trades from the event loop, one every `interval`.
    func trades(_ count: Int, every interval: TimeAmount) {
        for number in 0..<count {
            channel.eventLoop.scheduleTask(in: interval * number) { self.trade(number) }
        }
    }

    static func trade(_ number: Int, symbol: String = "AAPL") -> String {
        let place = #""ev":"T","sym":"\#(symbol)","x":4,"i":"\#(number)","z":3,"t":1381240800000,"q":\#(number)"#
        return #"[{\#(place),"p":\#(number),"s":100}]"#
    }
}
