import NIOCore
import NIOHTTP1
import NIOSSL

/// Sends the WebSocket handshake request and explains any response other than 101.
final class HandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let dial: FeedDial
    private let configuration: FeedConfiguration
    private var hasBegun = false
    private var earlyFailure: FeedEnding?
    /// Set when frames follow; whatever comes then is for the handlers after this one.
    var isDone = false

    init(dial: FeedDial, configuration: FeedConfiguration) {
        self.dial = dial
        self.configuration = configuration
    }

    /// Sends the request. With TLS, the TLS handler holds it back until the server is verified.
    func begin(on channel: any Channel) {
        hasBegun = true
        if let earlyFailure { return dial.fail(earlyFailure) }
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: configuration.endpoint.requestTarget)
        head.headers.add(name: "Host", value: configuration.endpoint.hostHeader)
        head.headers.add(name: "User-Agent", value: "edgetick")
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return context.fireChannelRead(data) }
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        let retryAfter = head.headers.first(name: "Retry-After").flatMap { Int($0) }
        fail(.handshakeRefused(status: Int(head.status.code), retryAfter: retryAfter, configuration))
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !isDone else { return context.fireErrorCaught(error) }
        if error is NIOHTTPClientUpgradeError || error is HTTPParserError {
            fail(
                FeedEnding(
                    .handshakeRefused, "connect",
                    "\(configuration.endpoint) did not respond as a WebSocket server; check the URL"))
        } else if error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError {
            let handler = try? context.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self)
            fail(.tls(error, handler?.peerCertificate, configuration))
        } else {
            fail(.lost(error, configuration.endpoint))
        }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isDone { fail(.lost(nil, configuration.endpoint)) }
        context.fireChannelInactive()
    }

    private func fail(_ ending: FeedEnding) {
        // If several addresses are tried at once, only the one that is used reports a failure.
        guard hasBegun else {
            earlyFailure = earlyFailure ?? ending
            return
        }
        dial.fail(ending)
    }
}
