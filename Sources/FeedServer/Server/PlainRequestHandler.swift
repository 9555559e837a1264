import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Answers a request that isn't a WebSocket upgrade, with the host's answer or an explanation. Closes a connection that
/// makes no request in time.
final class PlainRequestHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// The most bytes of a body that are written at once.
    static let partBytes = 64 << 10

    private let server: FeedServer
    private let isTLS: Bool
    private var request: HTTPRequestHead?
    /// Whether the response to the current request has no body. The next request comes only after the response.
    private var isForHead = false
    private var timer: Scheduled<Void>?

    init(server: FeedServer, isTLS: Bool) {
        self.server = server
        self.isTLS = isTLS
    }

    func handlerAdded(context: ChannelHandlerContext) { scheduleClose(after: .seconds(10), context) }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): request = head
        case .body: break
        case .end:
            if let request { answer(request, context) }
            request = nil
        }
    }

    private func answer(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let wanted = PlainRequest(request, isTLS: isTLS)
        isForHead = request.method == .HEAD
        if let refusal = server.host.refusal(of: wanted) {
            reply(refusal, keepsAlive: false, context)
            return
        }
        guard isForHead || request.method == .GET else {
            reply(.fault(405, "only GET and HEAD are possible here"), keepsAlive: request.isKeepAlive, context)
            return
        }
        guard server.beginsAnswer(on: context.channel) else {
            reply(.fault(429, "too many requests at once", retryAfter: 1), keepsAlive: request.isKeepAlive, context)
            return
        }
        timer?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let keepsAlive = request.isKeepAlive
        context.eventLoop.makeFutureWithTask { [server] in await server.host.answer(wanted) }.whenComplete { result in
            let (handler, context) = bound.value
            let sent =
                if case .success(let answer?) = result {
                    handler.reply(answer, keepsAlive: keepsAlive, context)
                } else {
                    handler.explain(context)
                }
            sent.whenComplete { [server = handler.server, channel = context.channel] _ in
                server.endsAnswer(on: channel)
            }
        }
    }

    @discardableResult
    private func reply(
        _ answer: PlainAnswer, keepsAlive: Bool, _ context: ChannelHandlerContext
    ) -> EventLoopFuture<Void> {
        var headers: HTTPHeaders = [
            "Content-Type": "application/json", "Content-Length": "\(answer.body.count)",
            "Connection": keepsAlive ? "keep-alive" : "close",
        ]
        if let seconds = answer.retryAfter { headers.add(name: "Retry-After", value: "\(seconds)") }
        if answer.status == 405 { headers.add(name: "Allow", value: "GET, HEAD") }
        let status = HTTPResponseStatus(statusCode: answer.status)
        return send(status, headers, ByteBuffer(bytes: answer.body), keepsAlive: keepsAlive, context)
    }

    private func scheduleClose(after delay: TimeAmount, _ context: ChannelHandlerContext) {
        let channel = context.channel
        timer?.cancel()
        timer = context.eventLoop.scheduleTask(in: delay) { channel.close(promise: nil) }
    }

    private func explain(_ context: ChannelHandlerContext) -> EventLoopFuture<Void> {
        let text = ByteBuffer(
            string: "This is a market-data feed. Connect with a WebSocket client (protocol version 13).\n")
        let headers: HTTPHeaders = [
            "Content-Type": "text/plain", "Content-Length": "\(text.readableBytes)", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13", "Connection": "close",
        ]
        return send(.upgradeRequired, headers, text, keepsAlive: false, context)
    }

    private func send(
        _ status: HTTPResponseStatus, _ headers: HTTPHeaders, _ body: ByteBuffer, keepsAlive: Bool,
        _ context: ChannelHandlerContext
    ) -> EventLoopFuture<Void> {
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let promise = context.eventLoop.makePromise(of: Void.self)
        send(isForHead ? ByteBuffer() : body, promise, context)
        let sent = promise.futureResult
        if !keepsAlive { sent.whenComplete { [channel = context.channel] _ in channel.close(promise: nil) } }
        return sent
    }

    /// Sends a body, or the rest of it, in parts, and ends the response. The client's time begins again with each part,
    /// so that a slow download is not cut off.
    private func send(_ body: ByteBuffer, _ sent: EventLoopPromise<Void>, _ context: ChannelHandlerContext) {
        // Time for the client to read the part and, after the last one, to make its next request.
        scheduleClose(after: .seconds(30), context)
        var rest = body
        let part = rest.readSlice(length: min(rest.readableBytes, Self.partBytes)) ?? ByteBuffer()
        guard rest.readableBytes > 0 else {
            if part.readableBytes > 0 { context.write(wrapOutboundOut(.body(.byteBuffer(part))), promise: nil) }
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: sent)
            return
        }
        let bound = NIOLoopBound((self, rest, context), eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(part)))).whenComplete { result in
            switch result {
            case .success:
                let (handler, rest, context) = bound.value
                handler.send(rest, sent, context)
            case .failure(let error): sent.fail(error)
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // An incomplete or refused upgrade request is answered like a plain one.
        if error is NIOWebSocketUpgradeError { return }
        context.close(promise: nil)
    }
}

extension PlainRequest {
    init(_ head: HTTPRequestHead, isTLS: Bool) {
        let hosts = head.headers["host"]
        let site = head.headers.first(name: "sec-fetch-site") ?? "none"
        self.init(
            target: head.uri, authorization: head.headers.first(name: "authorization"),
            origin: "\(isTLS ? "https" : "http")://\(hosts.first ?? "127.0.0.1")",
            host: hosts.count == 1 ? hosts[0] : nil,
            isOfPage: head.headers.contains(name: "origin") || !["none", "same-origin"].contains(site))
    }
}
