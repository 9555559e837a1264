import MarketData
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

/// Opens connections: name look-up, TCP over IPv4 or IPv6, TLS with everything verified, WebSocket handshake.
struct FeedDialler {
    let configuration: FeedConfiguration
    let eventLoop: any EventLoop
    private let trust: TrustCache

    init(configuration: FeedConfiguration, eventLoop: any EventLoop) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        trust = TrustCache(caFile: configuration.caFile, closeTimeout: configuration.closeTimeout)
    }

    /// Begins an attempt. Ends with `owner.opened` or, once, with `failed`; after ``FeedDial/cancel()`` with neither.
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
                    try Self.configure(channel, tls, configuration, dial, owner, attempt)
                }
            }
        bootstrap.connect(host: endpoint.host, port: endpoint.port).whenComplete { [trust] result in
            let dial = dial.value
            switch result {
            case .failure(let error):
                dial.fail(.unreachable(error, configuration))
            case .success(let channel):
                dial.onCertificateFailure = { trust.forget() }
                dial.connected(channel, configuration)
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

    /// The handshake is answered well: frames follow, perhaps in the same read.
    private static func upgraded(
        _ channel: any Channel, _ head: HTTPResponseHead, _ configuration: FeedConfiguration, _ dial: FeedDial,
        _ owner: FeedConnectionLoop, _ attempt: Int
    ) throws {
        if let handshake = try? channel.pipeline.syncOperations.handler(type: HandshakeHandler.self) {
            handshake.isDone = true
            channel.pipeline.syncOperations.removeHandler(handshake, promise: nil)
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

    /// TCP stands: sends the handshake.
    func connected(_ channel: any Channel, _ configuration: FeedConfiguration) {
        guard isLive else {
            channel.close(promise: nil)
            return
        }
        let endpoint = configuration.endpoint
        if !endpoint.usesTLS, !endpoint.allowsPlaintext, channel.remoteAddress?.isLoopback != true {
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
