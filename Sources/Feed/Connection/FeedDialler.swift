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

    /// Begins an attempt. It ends with `owner.opened` or `owner.dialFailed`; after ``FeedDial/cancel()``, with neither.
    func dial(_ owner: FeedConnectionLoop) -> FeedDial {
        let dial = FeedDial(owner: owner, trust: trust)
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
                connect(context, bound)
            }
        }
        return dial
    }

    private func connect(_ tls: NIOSSLContext?, _ dial: NIOLoopBound<FeedDial>) {
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
                        try Self.configure(channel, tls, configuration, dial)
                    }
                }
            }
        let (host, port) = configuration.proxy.map { ($0.host, $0.port) } ?? (endpoint.host, endpoint.port)
        bootstrap.connect(host: host, port: port).whenComplete { result in
            switch result {
            case .failure(let error):
                dial.value.fail(.unreachable(error, configuration))
            case .success(let channel):
                guard let tunnel = try? channel.pipeline.syncOperations.handler(type: ProxyTunnel.self) else {
                    return dial.value.connected(channel, configuration)
                }
                guard dial.value.holds(channel) else { return }
                tunnel.open(on: channel) {
                    try Self.configure(channel, tls, configuration, dial)
                    dial.value.connected(channel, configuration)
                } failed: {
                    dial.value.fail($0)
                }
            }
        }
    }

    private static func configure(
        _ channel: any Channel, _ tls: NIOSSLContext?, _ configuration: FeedConfiguration,
        _ dial: NIOLoopBound<FeedDial>
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
                try upgraded(channel, head, configuration, dial.value)
            }
        }
        try pipeline.addHTTPClientHandlers(
            leftOverBytesStrategy: .forwardBytes,
            withClientUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
        try pipeline.addHandler(HandshakeHandler(dial: dial.value, configuration: configuration))
    }

    /// Adds the frame handler after a successful handshake; frames may follow in the same read.
    private static func upgraded(
        _ channel: any Channel, _ head: HTTPResponseHead, _ configuration: FeedConfiguration, _ dial: FeedDial
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
            return dial.fail(.withoutName(configuration.endpoint))
        }
        guard head.headers["Sec-WebSocket-Extensions"].isEmpty, head.headers["Sec-WebSocket-Protocol"].isEmpty else {
            return dial.fail(
                FeedEnding(
                    .handshakeRefused, "connect",
                    "\(configuration.endpoint) chose a WebSocket extension or protocol that was not offered; "
                        + "there may be a proxy in between"))
        }
        let handler = FeedChannelHandler(owner: dial.owner, maximumBytes: configuration.maximumFrameBytes)
        try channel.pipeline.syncOperations.addHandler(handler)
        dial.succeeded()
        if !dial.owner.opened(handler, by: dial) { channel.close(promise: nil) }
    }
}

/// One attempt to open a connection; lives on the event loop.
final class FeedDial {
    let owner: FeedConnectionLoop
    /// Whether the attempt neither ended nor was cancelled.
    private(set) var isLive = true
    private let trust: TrustCache
    private var channel: (any Channel)?

    init(owner: FeedConnectionLoop, trust: TrustCache) {
        self.owner = owner
        self.trust = trust
    }

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
        guard holds(channel) else { return }
        let endpoint = configuration.endpoint
        if !endpoint.usesTLS, !endpoint.allowsPlaintext, configuration.proxy == nil,
            channel.remoteAddress?.isLoopback != true
        {
            let message =
                "\(endpoint.host) is not this machine, so ws:// would send the API key unencrypted; use wss://"
            return fail(FeedEnding(.plaintextRefused, "connect", message))
        }
        guard let handshake = try? channel.pipeline.syncOperations.handler(type: HandshakeHandler.self) else {
            return fail(.lost(nil, endpoint))
        }
        handshake.begin(on: channel)
    }

    func succeeded() {
        isLive = false
        channel = nil
    }

    func fail(_ ending: FeedEnding) {
        if ending.error.reason == .certificate { trust.forget() }
        let wasLive = isLive
        cancel()
        if wasLive { owner.dialFailed(self, ending) }
    }

    func cancel() {
        isLive = false
        channel?.close(promise: nil)
        channel = nil
    }
}
