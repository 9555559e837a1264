import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import Synchronization

/// A feed server on a free loopback port; a script runs each connection.
final class ScriptedFeed: Sendable {
    typealias Script = @Sendable (ScriptedPeer) async throws -> Void

    let port: Int
    private let channel: any Channel
    private let connections: Connections

    /// - Parameters:
    ///   - refusing: an HTTP status to answer handshakes with, and further headers.
    ///   - garbled: the numbers of the connections whose bytes a ``Garbler`` changes; counting starts at the lowest.
    ///   - script: runs one connection; the socket closes when it returns.
    static func start(
        host: String = "127.0.0.1", tls: NIOSSLContext? = nil,
        refusing: (HTTPResponseStatus, [(String, String)])? = nil, garbled: Range<UInt64> = 0..<0,
        script: @escaping Script = { _ in }
    ) async throws -> ScriptedFeed {
        let connections = Connections()
        connections.startCounting(from: garbled.lowerBound)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let seed = connections.accept()
                    if garbled.contains(seed) {
                        try channel.pipeline.syncOperations.addHandler(Garbler(seed: seed))
                    }
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls))
                    }
                    let upgrader = NIOWebSocketServerUpgrader(
                        maxFrameSize: 1 << 20, automaticErrorHandling: false,
                        shouldUpgrade: { channel, _ in
                            channel.eventLoop.makeSucceededFuture(refusing == nil ? HTTPHeaders() : nil)
                        },
                        upgradePipelineHandler: { channel, head in
                            channel.eventLoop.makeCompletedFuture {
                                let peer = ScriptedPeer(channel: channel, target: head.uri, index: connections.next())
                                try channel.pipeline.syncOperations.addHandler(PeerHandler(peer: peer))
                                connections.add(peer)
                                Task {
                                    try? await script(peer)
                                    peer.hangUp()
                                }
                            }
                        })
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                        withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
                    if let (status, headers) = refusing {
                        try channel.pipeline.syncOperations.addHandler(RefusalHandler(status: status, headers: headers))
                    }
                }
            }
            .bind(host: host, port: 0).get()
        return ScriptedFeed(channel: channel, connections: connections)
    }

    private init(channel: any Channel, connections: Connections) {
        self.channel = channel
        port = channel.localAddress?.port ?? 0
        self.connections = connections
    }

    /// The peers so far, in the order of their handshakes.
    var all: [ScriptedPeer] { connections.all }

    /// The number that the next accepted connection gets; counting starts at the lowest of the garbled ones.
    var accepted: UInt64 { connections.accepted }

    func stop() async {
        for peer in connections.all { peer.hangUp() }
        try? await channel.close()
    }
}

private final class Connections: Sendable {
    private let state = Mutex<(count: Int, peers: [ScriptedPeer])>((0, []))
    private let accepts = Mutex<UInt64>(0)

    func startCounting(from number: UInt64) { accepts.withLock { $0 = number } }

    /// Counts an accepted connection, and returns its number.
    func accept() -> UInt64 {
        accepts.withLock { accepts in
            defer { accepts += 1 }
            return accepts
        }
    }

    var accepted: UInt64 { accepts.withLock { $0 } }

    func next() -> Int {
        state.withLock { state in
            defer { state.count += 1 }
            return state.count
        }
    }

    func add(_ peer: ScriptedPeer) { state.withLock { $0.peers.append(peer) } }

    var all: [ScriptedPeer] { state.withLock { $0.peers } }
}

/// Answers a handshake with something else.
private final class RefusalHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    let status: HTTPResponseStatus
    let headers: [(String, String)]

    init(status: HTTPResponseStatus, headers: [(String, String)]) {
        self.status = status
        self.headers = headers
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .end = unwrapInboundIn(data) else { return }
        let head = HTTPResponseHead(
            version: .http1_1, status: status, headers: HTTPHeaders(headers + [("Content-Length", "0")]))
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}

/// Passes what the client sends to the peer.
private final class PeerHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame

    let peer: ScriptedPeer

    init(peer: ScriptedPeer) { self.peer = peer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { peer.received(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { peer.ended() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
