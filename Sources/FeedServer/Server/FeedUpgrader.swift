import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Turns an HTTP request, of any path, into a feed connection.
///
/// Everything sent is already encoded as frames, so the pipeline needs no frame encoder.
struct FeedUpgrader: HTTPServerProtocolUpgrader, Sendable {
    let supportedProtocol = "websocket"
    let requiredUpgradeHeaders: [String] = []
    let server: FeedServer
    let isTLS: Bool
    let negotiation = NIOWebSocketServerUpgrader(
        shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
        upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })

    func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        guard server.host.refusal(of: PlainRequest(upgradeRequest, isTLS: isTLS)) == nil else {
            return channel.eventLoop.makeFailedFuture(NIOWebSocketUpgradeError.unsupportedWebSocketTarget)
        }
        return negotiation.buildUpgradeResponse(
            channel: channel, upgradeRequest: upgradeRequest, initialResponseHeaders: initialResponseHeaders)
    }

    func upgrade(context: ChannelHandlerContext, upgradeRequest: HTTPRequestHead) -> EventLoopFuture<Void> {
        let pipeline = context.pipeline.syncOperations
        let maximumBytes = server.configuration.maximumRequestBytes
        return context.eventLoop.makeCompletedFuture { [server] in
            try pipeline.addHandler(ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: maximumBytes)))
            try pipeline.addHandler(ClientFrameRules())
            try pipeline.addHandler(
                NIOWebSocketFrameAggregator(
                    minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: 1024,
                    maxAccumulatedFrameSize: maximumBytes))
            try pipeline.addHandler(
                ClientHandler(
                    server: server, agent: upgradeRequest.headers.first(name: "user-agent"), loop: context.eventLoop))
        }
    }
}
