import Foundation
import Synchronization

/// A TCP proxy on loopback that stands between a client and a server and breaks the line on request.
public final class TCPProxy: Sendable {
    /// What the proxy does with bytes.
    public enum Mode: Sendable {
        /// Passes everything on.
        case pass
        /// Passes the client's bytes on and drops the server's as soon as they hold the text; both connections are
        /// then closed. What the client sent before has reached the server.
        case swallowAnswer(containing: String)
        /// Keeps connections open and passes nothing on. One that bytes were lost of is cut when another mode is set: no line
        /// goes on behind a hole.
        case blackhole
        /// Cuts the connections that are open and closes new ones at once.
        case refuse
        /// Passes everything on, the client's bytes in slices of so many with a pause after each.
        case slice(bytes: Int, pause: Duration)
        /// Ends the server's half of each connection, as a server does that closes and is still heard: the client's
        /// bytes go on.
        case halfClose
        /// Passes so many of the client's bytes on and holds the rest until another mode is set.
        case holdAfter(bytes: Int)
        /// Passes the client's bytes on and holds the server's until another mode is set.
        case holdAnswers
        /// Passes everything on, with the codes of a COPY's errors made XX000, as Citus has them. Set before a connection
        /// is made.
        case hideCopyCodes
        /// Resets a connection once so many bytes of the client have passed since the mode was set.
        case cutAfter(bytes: Int)
        /// Resets a connection to PostgreSQL before the message with this number, of either side, counted from 1 since the
        /// mode was set. The connection has to be idle then, and past its login.
        case cutAtMessage(Int)
        /// Loses the second message of a COPY's rows, and passes everything else on. The connection has to be idle when the
        /// mode is set, and past its login.
        case loseCopyData
    }

    private struct State {
        var mode = Mode.pass
        var swallowed = 0
        var cuts = 0
        var passed = 0
        var messages = 0
        var settings = 0
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

    /// How many answers were swallowed.
    public var swallowed: Int { state.withLock { $0.swallowed } }

    /// How many connections were cut after so many bytes.
    public var cuts: Int { state.withLock { $0.cuts } }

    /// How many of PostgreSQL's messages, of both sides, came since `.cutAtMessage` was set.
    public var messages: Int { state.withLock { $0.messages } }

    /// How many of the clients' bytes were passed on since the mode was last set.
    public var passedBytes: Int { state.withLock { $0.passed } }

    /// Changes what is done with bytes from now on.
    public func set(_ mode: Mode) {
        state.withLock { state in
            state.mode = mode
            state.passed = 0
            state.messages = 0
            state.settings += 1
            // Under the lock, so that no number here can have become another connection's.
            switch mode {
            case .refuse: for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
            case .halfClose: for socket in state.clients { shutdown(socket, Int32(SHUT_WR)) }
            default: break
            }
        }
    }

    /// Passes new connections on to another server, and cuts those that are open.
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
        if case .refuse = state.withLock({ $0.mode }) {
            close(client)
            return
        }
        let server = LoopbackListener.makeSocket()
        guard LoopbackListener.connect(server, to: state.withLock { $0.target }) else {
            close(client)
            close(server)
            return
        }
        state.withLock { state in
            state.sockets.formUnion([client, server])
            state.clients.insert(client)
            if case .halfClose = state.mode { shutdown(client, Int32(SHUT_WR)) }
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
            // So much of it is passed on.
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

    /// Waits while bytes are held; `false` when the connections are to be cut.
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

    /// Lets the connection end with a reset in place of an orderly close.
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
