import NIOCore
import NIOHTTPTypes
import Synchronization

/// Keeps room for the next client: of all sockets, when there are too many, the one that has waited longest for its
/// request goes, so that health can be asked for however many are held open.
final class SocketRoom: Sendable {
    private struct Socket {
        let channel: any Channel
        var isAnswering = false
        /// Grows with each change: the lowest has been as it is for the longest time.
        var turn: UInt64
    }

    private struct State {
        var sockets: [ObjectIdentifier: Socket] = [:]
        var turn: UInt64 = 0
    }

    private let limit: Int
    private let refusals: RefusalCounts
    private let state = Mutex(State())

    init(limit: Int, refusals: RefusalCounts) {
        self.limit = limit
        self.refusals = refusals
    }

    /// Takes a new socket in, and closes another when there are too many.
    func enter(_ channel: any Channel) {
        let evicted = state.withLock { state -> (any Channel)? in
            var evicted: (any Channel)?
            if state.sockets.count >= limit {
                let id = state.sockets.min { Self.goesBefore($0.value, $1.value) }?.key
                evicted = id.flatMap { state.sockets.removeValue(forKey: $0)?.channel }
            }
            state.turn += 1
            state.sockets[ObjectIdentifier(channel)] = Socket(channel: channel, turn: state.turn)
            return evicted
        }
        guard let evicted else { return }
        refusals.count(.room)
        evicted.close(promise: nil)
    }

    /// Notes whether a socket's request is being answered or awaited.
    func change(_ channel: any Channel, isAnswering: Bool) {
        state.withLock { state in
            state.turn += 1
            state.sockets[ObjectIdentifier(channel)]?.isAnswering = isAnswering
            state.sockets[ObjectIdentifier(channel)]?.turn = state.turn
        }
    }

    /// Forgets a socket that has ended.
    func leave(_ channel: any Channel) {
        _ = state.withLock { $0.sockets.removeValue(forKey: ObjectIdentifier(channel)) }
    }

    private static func goesBefore(_ left: Socket, _ right: Socket) -> Bool {
        left.isAnswering == right.isAnswering ? left.turn < right.turn : right.isAnswering
    }
}

/// Bounds how long one socket may take to send the head of a request, however it spreads the bytes, and tells the
/// ``SocketRoom`` how far it is.
final class SocketWatch: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let room: SocketRoom
    private let limits: WebConfiguration.Limits
    private var answersOwed = 0
    private var timer: Scheduled<Void>?

    init(room: SocketRoom, limits: WebConfiguration.Limits) {
        self.room = room
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
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
        if case .end = unwrapOutboundIn(data), answersOwed > 0 {
            answersOwed -= 1
            if answersOwed == 0 {
                room.change(context.channel, isAnswering: false)
                expectHead(context, within: limits.idleTimeout)
            }
        }
        context.write(data, promise: promise)
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
