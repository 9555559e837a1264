import Feed
import MarketData
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

/// The feed behind an HTTP proxy.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ProxyTests {
    /// Connects over a proxy until an event came or an error; returns the error.
    private func connect(
        over proxy: ConnectProxy, login: String = "", to feed: ScriptedFeed, scheme: String = "ws",
        caFile: String? = nil
    ) async throws -> FeedError? {
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port, host: "localhost", scheme: scheme)
        configuration.caFile = caFile
        configuration.proxy = HTTPProxy("http://\(login)127.0.0.1:\(proxy.port)")
        nonisolated(unsafe) var result: FeedError?
        try await rig.run(configuration) { connection in
            try await Waiting.until("an outcome") { connection.snapshot.lastError != nil || rig.sink.prices == [1] }
            result = connection.snapshot.lastError
        }
        return result
    }

    private func feed(_ certificates: FeedCertificates? = nil) async throws -> ScriptedFeed {
        try await ScriptedFeed.start(tls: try certificates?.context("good")) { peer in
            try await peer.stand()
            peer.trade(1)
            await peer.untilClosed()
        }
    }

    @Test func `the proxy is asked for a way to the feed, and TLS goes through it to the feed`() async throws {
        let certificates = try FeedCertificates()
        let feed = try await feed(certificates)
        let proxy = try await ConnectProxy()
        let error = try await connect(over: proxy, to: feed, scheme: "wss", caFile: certificates.authority)
        #expect(error == nil)
        #expect(proxy.heads.first?.hasPrefix("CONNECT localhost:\(feed.port) HTTP/1.1\r\n") == true)
        #expect(proxy.heads.first?.contains("Authorization") == false)
        await feed.stop()
    }

    @Test func `user and password are sent to a proxy that asks for them`() async throws {
        let feed = try await feed()
        let proxy = try await ConnectProxy(credentials: "bWU6cEBzcw==")
        #expect(try await connect(over: proxy, login: "me:p%40ss@", to: feed) == nil)
        let refused = try await connect(over: proxy, to: feed)
        #expect(refused?.reason == .unreachable)
        #expect(refused?.message.contains("asks for a user and a password") == true)
        await feed.stop()
    }

    @Test(arguments: ["HTTP/1.1 403 Forbidden\r\n\r\n", "SSH-2.0-x\r\n\r\n", ""])
    func `a proxy that opens no way is named`(answer: String) async throws {
        let feed = try await feed()
        let proxy = try await ConnectProxy(answer: answer)
        let error = try await connect(over: proxy, to: feed)
        #expect(error?.reason == .unreachable)
        #expect(
            error?.message.contains("the proxy 127.0.0.1:\(proxy.port) is of no use") == true,
            "\(String(describing: error))")
        await feed.stop()
    }

    @Test func `a proxy that isn't there is named, and not the feed`() async throws {
        let feed = try await feed()
        let proxy = try await ConnectProxy()
        try await proxy.stop()
        let error = try await connect(over: proxy, to: feed)
        #expect(error?.message.contains("the proxy 127.0.0.1:\(proxy.port) cannot be reached") == true)
        await feed.stop()
    }
}

/// An HTTP proxy that takes CONNECT to ports of this machine alone.
private final class ConnectProxy: Sendable {
    let port: Int
    private let channel: any Channel
    private let requests: Requests

    final class Requests: Sendable {
        let heads = Mutex<[String]>([])
    }

    /// - Parameters:
    ///   - credentials: What a request must bring, in base 64; `nil` takes all.
    ///   - answer: What is said in place of a way; nothing closes the connection.
    init(credentials: String? = nil, answer: String? = nil) async throws {
        let requests = Requests()
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ConnectHandler(requests: requests, credentials: credentials, answer: answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
        self.requests = requests
    }

    /// The heads of the requests.
    var heads: [String] { requests.heads.withLock { $0 } }

    func stop() async throws { try await channel.close() }
}

private final class ConnectHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let requests: ConnectProxy.Requests
    private let credentials: String?
    private let answer: String?
    private var received = ByteBuffer()
    private var onward: (any Channel)?

    init(requests: ConnectProxy.Requests, credentials: String?, answer: String?) {
        self.requests = requests
        self.credentials = credentials
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if let onward { return onward.writeAndFlush(bytes, promise: nil) }
        received.writeBuffer(&bytes)
        let head = String(buffer: received)
        guard head.hasSuffix("\r\n\r\n") else { return }
        requests.heads.withLock { $0.append(head) }
        if let answer { return say(answer, context) }
        if let credentials, !head.contains("\r\nProxy-Authorization: Basic \(credentials)\r\n") {
            return say("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", context)
        }
        let port = head.split(separator: " ")[1].split(separator: ":").last.flatMap { Int($0) } ?? 0
        let back = context.channel
        ClientBootstrap(group: context.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(BackHandler(to: back))
                }
            }
            .connect(host: "127.0.0.1", port: port)
            .assumeIsolated().whenSuccess { channel in
                self.onward = channel
                self.received = ByteBuffer()
                back.writeAndFlush(
                    ByteBuffer(string: "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"), promise: nil)
            }
    }

    func channelInactive(context: ChannelHandlerContext) { onward?.close(promise: nil) }

    private func say(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        if text.isEmpty { context.close(promise: nil) }
    }
}

private final class BackHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let back: any Channel

    init(to back: any Channel) { self.back = back }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        back.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { back.close(promise: nil) }
}
