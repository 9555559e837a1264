import NIOCore
import NIOHTTP1

/// Refuses a request whose target is a whole URL (RFC 9112, section 3.2.2): this server is no proxy.
///
/// Such a target names a host besides the Host header, and the conversion for the routes drops it. Therefore this
/// handler comes directly after the decoder.
final class TargetCheck: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart

    private var isRefused = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data), !isRefused, head.uri.first != "/", head.uri != "*" {
            isRefused = true
            context.fireErrorCaught(HTTPParserError.invalidURL)
        }
        guard !isRefused else { return }
        context.fireChannelRead(data)
    }
}
