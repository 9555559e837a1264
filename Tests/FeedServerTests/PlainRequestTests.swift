import MarketData
import NIOCore
import NIOEmbedded
import NIOHTTP1
import TestSupport
import Testing

@testable import FeedServer

@Suite(.timeLimit(.minutes(1))) struct `A long answer over plain HTTP` {
    @Test func `is sent for as long as its client reads, however slowly`() throws {
        let parts = 4
        let host = Refusing(bytes: parts * PlainRequestHandler.partBytes)
        let server = FeedServer(configuration: FeedServerConfiguration(), host: host, logger: .quiet)
        let socket = SlowSocket()
        let channel = EmbeddedChannel(handlers: [socket, PlainRequestHandler(server: server, isTLS: false)])
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 80), promise: nil)
        try channel.writeInbound(HTTPServerRequestPart.head(.init(version: .http1_1, method: .GET, uri: "/")))
        try channel.writeInbound(HTTPServerRequestPart.end(nil))
        for part in 1..<parts {
            channel.embeddedEventLoop.advanceTime(by: .seconds(20))
            #expect(channel.isActive, "\(part)")
            socket.read(PlainRequestHandler.partBytes)
        }
        #expect(!socket.hasEnded)
        channel.embeddedEventLoop.advanceTime(by: .seconds(20))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        #expect(!channel.isActive)
    }
}

/// A socket whose other side reads when the test says so.
private final class SlowSocket: ChannelOutboundHandler {
    typealias OutboundIn = HTTPServerResponsePart

    private var waiting: [(bytes: Int, promise: EventLoopPromise<Void>?)] = []
    /// Whether everything was read.
    var hasEnded: Bool { waiting.isEmpty }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        var bytes = 0
        if case .body(.byteBuffer(let part)) = unwrapOutboundIn(data) { bytes = part.readableBytes }
        waiting.append((bytes, promise))
    }

    func flush(context: ChannelHandlerContext) {}

    func handlerRemoved(context: ChannelHandlerContext) {
        for (_, promise) in waiting { promise?.fail(ChannelError.ioOnClosedChannel) }
    }

    /// Reads so many bytes.
    func read(_ bytes: Int) {
        var left = bytes
        while let next = waiting.first, next.bytes <= left {
            waiting.removeFirst()
            left -= next.bytes
            next.promise?.succeed(())
        }
        if !waiting.isEmpty { waiting[0].bytes -= left }
    }
}

/// A host that refuses every request, at length.
private final class Refusing: FeedHost {
    private let bytes: Int

    init(bytes: Int) { self.bytes = bytes }

    func refusal(of request: PlainRequest) -> PlainAnswer? {
        PlainAnswer(status: 403, body: [UInt8](repeating: 0x20, count: bytes))
    }
    func connected(_ client: FeedClient) {}
    func disconnected(_ client: FeedClient) {}
    func login(of client: FeedClient, key: String) -> LoginVerdict { .refused }
    func refusals(of channels: [FeedChannel], to client: FeedClient, replayed: Bool) -> [FeedChannel: StatusMessage] {
        [:]
    }
    func subscriptionsChanged(of client: FeedClient, _ channels: [FeedChannel]) {}
    func progressed(_ client: FeedClient) {}
}
