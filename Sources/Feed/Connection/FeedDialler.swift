import MarketData
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

/// Opens connections: name look-up, TCP over IPv4 or IPv6, a proxy's tunnel if one is set, TLS with full verification,
/// and the WebSocket handshake.
struct FeedDialler {
    let configuration: FeedConfiguration
    let eventLoop: any EventLoop
    private let trust: TrustCache

    init(configuration: FeedConfiguration, eventLoop: any EventLoop) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        trust = TrustCache(caFile: configuration.caFile, closeTimeout: configuration.closeTimeout)
    }

    /// Begins an attempt. It ends with `owner.opened` or with one call of `failed`; after ``FeedDial/cancel()``, with
    /// neither.
    func dial(
        attempt: Int, owner: NIOLoopBound<FeedConnectionLoop>, failed: @escaping @Sendable (FeedEnding) -> Void
    ) -> FeedDial {
        let dial = FeedDial(failed: failed)
        let bound = NIOLoopBound(dial, eventLoop: eventLoop)
        let context: EventLoopFuture<NIOSSLContext?> =
            configuration.endpoint.usesTLS
            ? trust.context(on: eventLoop).map { $0 } : eventLoop.makeSucceededFuture(nil)
        context.whenComplete { [self] result in
            switch result {
            case .failure(let error):
                bound.value.fail(error as? FeedEnding ?? .tls(error, nil, configuration))
            case .success(let context):
                guard bound.value.isLive else { return }
                connect(context, bound, owner, attempt)
            }
        }
        return dial
    }

    private func connect(
        _ tls: NIOSSLContext?, _ dial: NIOLoopBound<FeedDial>, _ owner: NIOLoopBound<FeedConnectionLoop>, _ attempt: Int
    ) {
        let endpoint = configuration.endpoint
        let configuration = configuration
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.maxMessagesPerRead, value: 8)
            .channelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 4096, initial: 16384, maximum: 262_144)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let proxy = configuration.proxy {
                        try channel.pipeline.syncOperations.addHandler(ProxyTunnel(proxy: proxy, endpoint: endpoint))
                    } else {
                        try Self.configure(channel, tls, configuration, dial, owner, attempt)
                    }
                }
            }
        let (host, port) = configuration.proxy.map { ($0.host, $0.port) } ?? (endpoint.host, endpoint.port)
        bootstrap.connect(host: host, port: port).whenComplete { [trust] result in
            switch result {
            case .failure(let error):
                dial.value.fail(.unreachable(error, configuration))
            case .success(let channel):
                dial.value.onCertificateFailure = { trust.forget() }
                guard let tunnel = try? channel.pipeline.syncOperations.handler(type: ProxyTunnel.self) else {
                    return dial.value.connected(channel, configuration)
                }
                guard dial.value.holds(channel) else { return }
                tunnel.open {
                    try Self.configure(channel, tls, configuration, dial, owner, attempt)
                    dial.value.connected(channel, configuration)
                } failed: {
                    dial.value.fail($0)
                }
            }
        }
    }

    private static func configure(
        _ channel: any Channel, _ tls: NIOSSLContext?, _ configuration: FeedConfiguration,
        _ dial: NIOLoopBound<FeedDial>, _ owner: NIOLoopBound<FeedConnectionLoop>, _ attempt: Int
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        let endpoint = configuration.endpoint
        if let tls {
            try pipeline.addHandler(
                NIOSSLClientHandler(context: tls, serverHostname: endpoint.hostIsAddress ? nil : endpoint.host))
        }
        let upgrader = NIOWebSocketClientUpgrader(
            maxFrameSize: min(configuration.maximumFrameBytes, Int(UInt32.max)), automaticErrorHandling: false
        ) { channel, head in
            channel.eventLoop.makeCompletedFuture {
                try upgraded(channel, head, configuration, dial.value, owner.value, attempt)
            }
        }
        try pipeline.addHTTPClientHandlers(
            leftOverBytesStrategy: .forwardBytes,
            withClientUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
        try pipeline.addHandler(HandshakeHandler(dial: dial.value, configuration: configuration))
    }

    /// Adds the frame handler after a successful handshake; frames may follow in the same read.
    private static func upgraded(
        _ channel: any Channel, _ head: HTTPResponseHead, _ configuration: FeedConfiguration, _ dial: FeedDial,
        _ owner: FeedConnectionLoop, _ attempt: Int
    ) throws {
        if let handshake = try? channel.pipeline.syncOperations.handler(type: HandshakeHandler.self) {
            handshake.isDone = true
            channel.pipeline.syncOperations.removeHandler(handshake, promise: nil)
        }
        // A name only in the subject does not count (RFC 9525, section 2), although the library accepts it.
        if let tls = try? channel.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self),
            tls.peerCertificate?._subjectAlternativeNames().contains(where: {
                [.dnsName, .ipAddress].contains($0.nameType)
            }) != true
        {
            dial.fail(.withoutName(configuration.endpoint))
            channel.close(promise: nil)
            return
        }
        guard head.headers["Sec-WebSocket-Extensions"].isEmpty, head.headers["Sec-WebSocket-Protocol"].isEmpty else {
            dial.fail(
                FeedEnding(
                    FeedError(
                        .handshakeRefused, operation: "connect",
                        message:
                            "\(configuration.endpoint) chose a WebSocket extension or protocol that was not offered; "
                            + "a proxy may stand between")))
            channel.close(promise: nil)
            return
        }
        let handler = FeedChannelHandler(owner: owner, maximumBytes: configuration.maximumFrameBytes)
        try channel.pipeline.syncOperations.addHandler(handler)
        dial.succeeded()
        if !owner.opened(handler, attempt: attempt) { channel.close(promise: nil) }
    }
}

/// One attempt to open a connection; lives on the event loop.
final class FeedDial {
    private var failed: (@Sendable (FeedEnding) -> Void)?
    private var channel: (any Channel)?
    var onCertificateFailure: (() -> Void)?

    init(failed: @escaping @Sendable (FeedEnding) -> Void) {
        self.failed = failed
    }

    /// Whether the attempt neither ended nor was cancelled.
    var isLive: Bool { failed != nil }

    /// Takes over a channel, to close it with the attempt. If the attempt is over, closes it and returns `false`.
    func holds(_ channel: any Channel) -> Bool {
        guard isLive else {
            channel.close(promise: nil)
            return false
        }
        self.channel = channel
        return true
    }

    /// Sends the handshake, now that the way to the feed is open.
    func connected(_ channel: any Channel, _ configuration: FeedConfiguration) {
        guard isLive else {
            channel.close(promise: nil)
            return
        }
        let endpoint = configuration.endpoint
        if !endpoint.usesTLS, !endpoint.allowsPlaintext, configuration.proxy == nil,
            channel.remoteAddress?.isLoopback != true
        {
            let message =
                "\(endpoint.host) is not this machine, so ws:// would send the API key unencrypted; use wss://"
            fail(FeedEnding(FeedError(.plaintextRefused, operation: "connect", message: message)))
            channel.close(promise: nil)
            return
        }
        self.channel = channel
        guard let handshake = try? channel.pipeline.syncOperations.handler(type: HandshakeHandler.self) else {
            fail(.lost(nil, endpoint))
            return
        }
        handshake.begin()
    }

    func succeeded() {
        failed = nil
        channel = nil
    }

    func fail(_ ending: FeedEnding) {
        if ending.error.reason == .certificate { onCertificateFailure?() }
        let report = failed
        failed = nil
        channel?.close(promise: nil)
        channel = nil
        report?(ending)
    }

    func cancel() {
        failed = nil
        channel?.close(promise: nil)
        channel = nil
    }
}
