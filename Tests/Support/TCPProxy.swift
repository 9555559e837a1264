import Foundation
import Synchronization

/// A TCP proxy on loopback between a client and a server that breaks the line on request.
public final class TCPProxy: Sendable {
    /// What the proxy does with bytes.
    public enum Mode: Sendable {
        /// Passes everything on.
        case pass
        /// Passes the client's bytes on, but drops the server's answer that contains the text and closes both
        /// connections. What the client sent before has then reached the server.
        case swallowAnswer(containing: String)
        /// Keeps connections open and passes nothing on. A connection that lost bytes is cut once another mode is set,
        /// since no real connection continues after a hole.
        case blackhole
        /// Cuts the connections that are open and closes new ones at once.
        case refuse
        /// Passes everything on, the client's bytes in slices of this size with a pause after each.
        case slice(bytes: Int, pause: Duration)
        /// Closes the server's direction of each connection, as a server does that closes but still reads; the client's
        /// bytes are passed on.
        case halfClose
        /// Passes this many of the client's bytes on and holds the rest until another mode is set.
        case holdAfter(bytes: Int)
        /// Passes the client's bytes on and holds the server's until another mode is set.
        case holdAnswers
        /// Passes everything on, but replaces the codes of constraint violations in a COPY by XX000, as Citus does. Set
        /// it before the connection is made.
        case hideCopyCodes
        /// Resets the connection once this many bytes of clients have passed since the mode was set.
        case cutAfter(bytes: Int)
        /// Cuts a connection to PostgreSQL before the message with this number, counting both sides' messages from 1
        /// since the mode was set. The connection must then be idle and past its login.
        case cutAtMessage(Int)
        /// Drops the second message of a COPY's rows and passes everything else on. When the mode is set, the
        /// connection must be idle and past its login.
        case loseCopyData
    }

    private struct State {
        var mode = Mode.pass
        var connections = 0
        var swallowed = 0
        var cuts = 0
        var passed = 0
        var messages = 0
        var settings = 0
        /// How often `.refuse` was set.
        var refusals = 0
        var target: Int
        var sockets: Set<Int32> = []
        var clients: Set<Int32> = []
        var isClosed = false
    }

    /// The port on 127.0.0.1.
    public let port: Int
    private let listener: LoopbackListener
    private let state: Mutex<State>

    /// Listens on a free port and passes connections on to `target` on 127.0.0.1.
    public init(to target: Int) throws {
        state = Mutex(State(target: target))
        listener = try LoopbackListener()
        port = listener.port
        listener.accept { [weak self] client in
            if let self { self.serve(client) } else { close(client) }
        }
    }

    deinit { stop() }

    /// The number of connections that clients have made, refused or not.
    public var connections: Int { state.withLock { $0.connections } }

    /// The number of answers that were swallowed.
    public var swallowed: Int { state.withLock { $0.swallowed } }

    /// The number of connections that `.cutAfter` and `.cutAtMessage` cut.
    public var cuts: Int { state.withLock { $0.cuts } }

    /// The number of PostgreSQL messages, of both sides, since `.cutAtMessage` was set.
    public var messages: Int { state.withLock { $0.messages } }

    /// The number of bytes received from clients since the mode was last set.
    public var passedBytes: Int { state.withLock { $0.passed } }

    /// Changes the mode from now on.
    public func set(_ mode: Mode) {
        state.withLock { state in
            state.mode = mode
            state.passed = 0
            state.messages = 0
            state.settings += 1
            // Under the lock, so that no descriptor here can belong to another connection by now.
            switch mode {
            case .refuse:
                state.refusals += 1
                for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
            case .halfClose: for socket in state.clients { shutdown(socket, Int32(SHUT_WR)) }
            default: break
            }
        }
    }

    /// Directs new connections to another server, and cuts the open ones.
    public func lead(to target: Int) {
        set(.refuse)
        state.withLock { $0.target = target }
        set(.pass)
    }

    /// Closes everything.
    public func stop() {
        let sockets = state.withLock { state -> Set<Int32> in
            guard !state.isClosed else { return [] }
            state.isClosed = true
            listener.stop()
            return state.sockets
        }
        for socket in sockets { shutdown(socket, Int32(SHUT_RDWR)) }
    }

    private func serve(_ client: Int32) {
        let (isRefused, target, refusals) = state.withLock { state -> (Bool, Int, Int) in
            state.connections += 1
            if case .refuse = state.mode { return (true, state.target, state.refusals) }
            return (false, state.target, state.refusals)
        }
        guard !isRefused else {
            close(client)
            return
        }
        let server = LoopbackListener.makeSocket()
        guard LoopbackListener.connect(server, to: target) else {
            close(client)
            close(server)
            return
        }
        let isOpen = state.withLock { state -> Bool in
            // A connection that was being made when all were cut is cut too.
            guard state.refusals == refusals, !state.isClosed else { return false }
            state.sockets.formUnion([client, server])
            state.clients.insert(client)
            if case .halfClose = state.mode { shutdown(client, Int32(SHUT_WR)) }
            return true
        }
        guard isOpen else {
            close(client)
            close(server)
            return
        }
        let ends = OpenEnds(2)
        for (from, to, isAnswer) in [(client, server, false), (server, client, true)] {
            Thread.detachNewThread { [self] in
                pump(from, to, isAnswer: isAnswer)
                shutdown(from, Int32(SHUT_RDWR))
                shutdown(to, Int32(SHUT_RDWR))
                guard ends.decrement() == 0 else { return }
                state.withLock { state in
                    state.sockets.subtract([client, server])
                    state.clients.remove(client)
                    close(client)
                    close(server)
                }
            }
        }
    }

    private func pump(_ from: Int32, _ to: Int32, isAnswer: Bool) {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        var framing = PostgresFraming()
        var filter = CopyErrorFilter()
        var settings = 0
        var loss = CopyDataLoss()
        var hasHole = false
        while true {
            // How much of what was read is passed on; the modes may reduce it.
            var count = read(from, &bytes, bytes.count)
            guard count > 0 else { return }
            var before = 0
            var isCut = false
            let action = state.withLock { state -> Mode in
                before = state.passed
                if !isAnswer { state.passed += count }
                if case .cutAfter(let limit) = state.mode {
                    guard !isAnswer, state.passed >= limit else { return .pass }
                    state.cuts += 1
                    state.mode = .pass
                    return .refuse
                }
                if case .cutAtMessage(let number) = state.mode {
                    if settings != state.settings { (framing, settings) = (PostgresFraming(), state.settings) }
                    for start in framing.starts(in: bytes[..<count]) {
                        state.messages += 1
                        guard state.messages == number else { continue }
                        state.cuts += 1
                        state.mode = .refuse
                        (count, isCut) = (start, true)
                        break
                    }
                    return .pass
                }
                if case .swallowAnswer(let text) = state.mode {
                    let isHit = isAnswer && Data(bytes[..<count]).range(of: Data(text.utf8)) != nil
                    guard isHit else { return .pass }
                    state.swallowed += 1
                }
                return state.mode
            }
            var (allowance, total) = (Int.max, 0)
            var slice = count
            var pause = Duration.zero
            if hasHole {
                if case .blackhole = action { continue }
                Self.reset(to)
                return
            }
            switch action {
            case .pass, .cutAfter, .cutAtMessage: break
            case .loseCopyData:
                guard !isAnswer else { break }
                let passed = loss.pass(bytes[..<count])
                bytes.replaceSubrange(..<passed.count, with: passed)
                count = passed.count
            case .hideCopyCodes:
                guard isAnswer else { break }
                let passed = filter.pass(bytes[..<count])
                if passed.count > bytes.count {
                    bytes = passed
                } else {
                    bytes.replaceSubrange(..<passed.count, with: passed)
                }
                count = passed.count
            case .holdAfter(let limit):
                if !isAnswer { (allowance, total) = (max(0, limit - before), count) }
            case .swallowAnswer: return
            case .refuse:
                Self.reset(to)
                return
            case .holdAnswers: if isAnswer, !waitWhileHeld() { return }
            case .blackhole:
                hasHole = true
                continue
            case .halfClose: if isAnswer { continue }
            case .slice(let bytes, let time):
                if !isAnswer { (slice, pause) = (bytes, time) }
            }
            var sent = 0
            while sent < count {
                if total > 0, sent >= allowance {
                    guard waitWhileHeld() else { return }
                    allowance = total
                }
                let written = bytes[sent..<min(count, sent + slice, max(allowance, sent))].withUnsafeBytes {
                    send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard written > 0 else { return }
                sent += written
                if pause > .zero { usleep(useconds_t(pause / .microseconds(1))) }
            }
            if isCut { return }
        }
    }

    /// Waits while bytes are held; returns `false` when the connections are to be cut.
    private func waitWhileHeld() -> Bool {
        while true {
            let (isHeld, isCut) = state.withLock { state -> (Bool, Bool) in
                if case .holdAfter(let limit) = state.mode { return (state.passed > limit, state.isClosed) }
                if case .refuse = state.mode { return (false, true) }
                if case .holdAnswers = state.mode { return (true, state.isClosed) }
                return (false, state.isClosed)
            }
            if isCut { return false }
            if !isHeld { return true }
            usleep(1000)
        }
    }

    /// Makes the connection end with a reset instead of an orderly close.
    private static func reset(_ socket: Int32) {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    private final class OpenEnds: Sendable {
        private let count: Mutex<Int>
        init(_ count: Int) { self.count = Mutex(count) }
        func decrement() -> Int {
            count.withLock { count in
                count -= 1
                return count
            }
        }
    }
}
