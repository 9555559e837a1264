import NIOCore
import NIOWebSocket

/// Passes on only frames that a client may send (RFC 6455, sections 5.1 and 5.2); reports others as errors.
final class ClientFrameRules: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame

    /// A rule that a frame broke; the text is sent to the client.
    enum Fault: String, Error {
        case notMasked = "the frame is not masked"
        case reservedBits = "the frame uses an extension, such as compression, that was not negotiated"
        case unknownOpcode = "unknown opcode"
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let fault = Self.fault(of: unwrapInboundIn(data)) {
            context.fireErrorCaught(fault)
        } else {
            context.fireChannelRead(data)
        }
    }

    private static func fault(of frame: WebSocketFrame) -> Fault? {
        guard frame.maskKey != nil else { return .notMasked }
        guard !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return .reservedBits }
        switch frame.opcode {
        case .continuation, .text, .binary, .connectionClose, .ping, .pong: return nil
        default: return .unknownOpcode
        }
    }
}
