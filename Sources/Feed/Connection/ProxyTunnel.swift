import FoundationEssentials
import MarketData
import NIOCore

/// Asks a proxy to open a tunnel to the feed (RFC 9110, section 9.3.6). It is alone in the pipeline until the tunnel is
/// open; then the other handlers are added.
final class ProxyTunnel: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// The longest response that is read, in bytes.
    private static let maximumBytes = 16 << 10

    private let proxy: HTTPProxy
    private let endpoint: FeedEndpoint
    private var received = ByteBuffer()
    private var opened: (() throws -> Void)?
    private var failed: ((FeedEnding) -> Void)?

    init(proxy: HTTPProxy, endpoint: FeedEndpoint) {
        self.proxy = proxy
        self.endpoint = endpoint
    }

    /// Requests the tunnel; `opened` adds the handlers that use it.
    func open(on channel: any Channel, opened: @escaping () throws -> Void, failed: @escaping (FeedEnding) -> Void) {
        self.opened = opened
        self.failed = failed
        let target = HostName.authority(endpoint.host, port: endpoint.port)
        var head = "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\nUser-Agent: edgetick\r\n"
        if let credentials = proxy.credentials {
            head += "Proxy-Authorization: Basic \(Data(credentials.reveal().utf8).base64EncodedString())\r\n"
        }
        channel.writeAndFlush(ByteBuffer(string: head + "\r\n"), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard opened != nil else { return context.fireChannelRead(data) }
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        guard let end = Self.endOfHead(received.readableBytesView) else {
            if received.readableBytes > Self.maximumBytes { refuse("it did not respond as an HTTP proxy") }
            return
        }
        let head = received.readSlice(length: end) ?? ByteBuffer()
        let line = head.readableBytesView.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2).map { String(decoding: $0, as: UTF8.self) }
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
            return refuse("it did not respond as an HTTP proxy")
        }
        switch status {
        case 200..<300: finish(context)
        case 407 where proxy.credentials != nil: refuse("it does not accept the user name and password")
        case 407: refuse("it asks for a user name and a password: write http://user:password@\(proxy)")
        default:
            let words = words.count > 2 ? " \(DisplayText.escaped(words[2], limit: 60))" : ""
            refuse("it refused a tunnel to \(endpoint.hostHeader): \(status)\(words)")
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        refuse("it closed the connection")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard opened != nil else { return context.fireErrorCaught(error) }
        fail(.lost(error, endpoint))
    }

    private func finish(_ context: ChannelHandlerContext) {
        guard let opened else { return }
        self.opened = nil
        failed = nil
        do {
            try opened()
        } catch {
            return context.fireErrorCaught(error)
        }
        if received.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(received)) }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func refuse(_ text: String) {
        fail(
            FeedEnding(
                .unreachable, "connect",
                "the proxy \(proxy) can't be used: \(text); check HTTPS_PROXY, or add the feed's host to NO_PROXY"))
    }

    private func fail(_ ending: FeedEnding) {
        let report = failed
        opened = nil
        failed = nil
        report?(ending)
    }

    /// The length of the response's head in bytes, including its empty line; `nil` if the head is incomplete.
    private static func endOfHead(_ bytes: ByteBufferView) -> Int? {
        var line = 0
        for (offset, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "\n"):
                if line == 0, offset > 0 { return offset + 1 }
                line = 0
            case UInt8(ascii: "\r"): continue
            default: line += 1
            }
        }
        return nil
    }
}
