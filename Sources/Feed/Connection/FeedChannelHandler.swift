import NIOCore
import NIOWebSocket

/// Handles WebSocket frames from NIO: decodes text straight from the read buffer, answers pings, and ends each read.
///
/// Text is decoded here and not later, so that a message in one frame is read in place; only fragments are copied.
final class FeedChannelHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let owner: FeedConnectionLoop
    private var assembler: WebSocketFrameAssembler
    private var fragments: ByteBuffer?
    private var context: ChannelHandlerContext?
    private var isReading = false
    /// Set when further input no longer counts, because the connection is closing, failed or abandoned.
    private var ignoresInput = false
    private var hasSentClose = false
    private var socketError: (any Error)?

    init(owner: FeedConnectionLoop, maximumBytes: Int) {
        self.owner = owner
        assembler = WebSocketFrameAssembler(maximumBytes: maximumBytes)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !ignoresInput else { return }
        let frame = unwrapInboundIn(data)
        if !isReading {
            isReading = true
            owner.readBegan()
        }
        let data = frame.data
        switch assembler.take(WebSocketFrameAssembler.Header(frame, length: data.readableBytes)) {
        case .text:
            take(data)
        case .keep:
            keep(data)
        case .joined:
            keep(data)
            if let whole = fragments {
                fragments = nil
                take(whole)
            }
        case .skipBinary: data.withUnsafeReadableBytes { owner.intake.skipBinary($0) }
        case .drop, .pong: break
        case .ping:
            // A peer that sends pings without reading the pongs must not fill this side's memory.
            if context.channel.isWritable { write(.pong, data) }
        case .close:
            endRead()
            switch WebSocketFrameAssembler.readClose(data.readableBytesView) {
            case .success(let notice):
                ignoresInput = true
                owner.peerClosed(notice)
            case .failure(let violation): fail(violation)
            }
        case .violation(let violation): fail(violation)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // A long frame may take several reads; its bytes are a sign of life too.
        if isReading { endRead() } else if !ignoresInput { owner.bytesSeen() }
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        endRead()
        ignoresInput = true
        owner.closed(self, socketError.map { FeedEnding.lost($0, owner.configuration.endpoint) })
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !ignoresInput else { return }
        switch error {
        case NIOWebSocketError.invalidFrameLength:
            fail(.tooLong(maximumBytes: assembler.maximumBytes))
        case NIOWebSocketError.fragmentedControlFrame, NIOWebSocketError.multiByteControlFrameLength:
            fail(.controlFrame)
        case is ByteToMessageDecoderError:
            break
        default:
            socketError = error
            context.close(promise: nil)
        }
    }

    private func take(_ message: ByteBuffer) {
        owner.messageBegins()
        let isValid = message.withUnsafeReadableBytes { bytes in
            guard UTF8Check.isValid(bytes) else { return false }
            owner.intake.take(bytes)
            return true
        }
        if isValid { owner.handOverIfLarge() } else { fail(.notUTF8) }
    }

    private func keep(_ part: ByteBuffer) {
        var part = part
        if fragments == nil { fragments = part } else { fragments?.writeBuffer(&part) }
    }

    private func endRead() {
        guard isReading else { return }
        isReading = false
        owner.readEnded()
    }

    private func fail(_ violation: WebSocketFrameAssembler.Violation) {
        endRead()
        ignoresInput = true
        fragments = nil
        owner.violated(violation)
    }

    // MARK: Writing

    func send(_ text: String) { write(.text, ByteBuffer(string: text)) }

    func ping() { write(.ping, ByteBuffer()) }

    /// Sends a close frame, once.
    func sendClose(code: UInt16) {
        write(.connectionClose, ByteBuffer(integer: code))
        hasSentClose = true
    }

    func setReading(_ isOn: Bool) { context?.channel.setOption(.autoRead, value: isOn).whenFailure { _ in } }

    /// Drops the socket; nothing more is reported.
    func abandon() {
        ignoresInput = true
        context?.close(promise: nil)
    }

    /// Client frames are masked with a fresh random key (RFC 6455, section 5.3).
    private func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer) {
        guard let context, !hasSentClose else { return }
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }
}

extension WebSocketFrameAssembler.Header {
    fileprivate init(_ frame: WebSocketFrame, length: Int) {
        self.init(
            isFinal: frame.fin, reservedBits: (frame.rsv1 ? 4 : 0) | (frame.rsv2 ? 2 : 0) | (frame.rsv3 ? 1 : 0),
            opcode: UInt8(webSocketOpcode: frame.opcode), isMasked: frame.maskKey != nil, length: length)
    }
}
