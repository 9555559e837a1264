import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Limits the time in which one socket must send the head of a request, however it spreads the bytes, keeps the
/// ``SocketRoom`` informed, and closes the socket after a response that says so. Answers bytes that aren't HTTP, a head
/// that is too large and a target that is not a path with problem details.
final class SocketWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let room: SocketRoom
    private let limits: WebConfiguration.Limits
    private var answersOwed = 0
    private var timer: Scheduled<Void>?
    /// Whether the response under way is the last one on this socket.
    private var isLast = false
    private var isMalformed = false

    init(room: SocketRoom, limits: WebConfiguration.Limits) {
        self.room = room
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
        let pipeline = context.pipeline.syncOperations
        do {
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            try pipeline.addHandler(TargetCheck(), position: .after(decoder))
        } catch {
            // A server that can't check its requests must not take any.
            context.close(promise: nil)
        }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        room.leave(context.channel)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head = unwrapInboundIn(data) {
            answersOwed += 1
            timer?.cancel()
            room.change(context.channel, isAnswering: true)
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head): isLast = head.headerFields[.connection] == "close"
        case .body: break
        case .end: answered(context)
        }
        context.write(data, promise: promise)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // In the middle of another response, all that can be done cleanly is to close the connection.
        guard !isMalformed, answersOwed == 0, !(error is IOError), !(error is ChannelError) else {
            context.fireErrorCaught(error)
            return
        }
        isMalformed = true
        var problem = Problem(.badRequest, slug: "malformed-request", "The request is not valid HTTP/1.1.")
        if case HTTPParserError.headerOverflow = error {
            problem = Problem(.requestHeaderFieldsTooLarge, "The header fields are too large.")
        }
        let body = problem.text(instance: nil)
        var head = HTTPResponse(status: problem.status)
        head.headerFields[.contentType] = Problem.mediaType
        head.headerFields[.contentLength] = String(body.count)
        head.headerFields[.connection] = "close"
        SecurityHeaders.add(to: &head.headerFields)
        for part in [.head(head), .body(context.channel.allocator.buffer(bytes: body)), .end(nil)] as [OutboundIn] {
            write(context: context, data: wrapOutboundOut(part), promise: nil)
        }
        context.flush()
    }

    private func answered(_ context: ChannelHandlerContext) {
        if answersOwed > 0 {
            answersOwed -= 1
            if answersOwed == 0 {
                room.change(context.channel, isAnswering: false)
                expectHead(context, within: limits.idleTimeout)
            }
        }
        guard isLast else { return }
        // Counted from here, since the response may be written late. The client gets a moment to read it: closing while
        // it still sends would reset the connection.
        let channel = context.channel
        context.eventLoop.scheduleTask(in: .milliseconds(250)) { channel.close(promise: nil) }
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard timer == nil else { return }
        room.enter(context.channel)
        expectHead(context, within: limits.headTimeout)
    }

    /// Closes the socket unless the next head is there in time.
    private func expectHead(_ context: ChannelHandlerContext, within limit: Duration) {
        timer?.cancel()
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: TimeAmount(limit)) { channel.close(promise: nil) }
    }
}
