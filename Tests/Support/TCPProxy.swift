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
        /// Keeps connections open and passes nothing on.
        case blackhole
        /// Ends the server's side of a connection with its next bytes and drops them; the client's bytes still arrive.
        case halfClose
        /// Cuts the connections that are open and closes new ones at once.
        case refuse
    }

    private struct State {
        var mode = Mode.pass
        var swallowed = 0
        var sockets: Set<Int32> = []
        var isClosed = false
    }

    /// The port on 127.0.0.1.
    public let port: Int
    private let listener: Int32
    private let target: Int
    private let state = Mutex(State())

    /// Listens on a free port and passes connections on to `target` on 127.0.0.1.
    public init(to target: Int) throws {
        self.target = target
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = Self.loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(listener, generic, length) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, generic, &length) == 0
            }
        }
        guard isListening else { throw POSIXError(.EADDRINUSE) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [listener, weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0, let self else {
                    if client >= 0 { close(client) }
                    return
                }
                self.serve(client)
            }
        }
    }

    deinit { stop() }

    /// How many answers were swallowed.
    public var swallowed: Int { state.withLock { $0.swallowed } }

    /// Changes what is done with bytes from now on.
    public func set(_ mode: Mode) {
        let cut = state.withLock { state -> Set<Int32> in
            state.mode = mode
            if case .refuse = mode { return state.sockets }
            return []
        }
        for socket in cut { shutdown(socket, Int32(SHUT_RDWR)) }
    }

    /// Closes everything.
    public func stop() {
        let sockets = state.withLock { state -> Set<Int32> in
            guard !state.isClosed else { return [] }
            state.isClosed = true
            shutdown(listener, Int32(SHUT_RDWR))
            close(listener)
            return state.sockets
        }
        for socket in sockets { shutdown(socket, Int32(SHUT_RDWR)) }
    }

    private func serve(_ client: Int32) {
        if case .refuse = state.withLock({ $0.mode }) {
            close(client)
            return
        }
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(port: target)
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else {
            close(client)
            close(server)
            return
        }
        state.withLock { $0.sockets.formUnion([client, server]) }
        let ends = OpenEnds(2)
        for (from, to, isAnswer) in [(client, server, false), (server, client, true)] {
            Thread.detachNewThread { [self] in
                pump(from, to, isAnswer: isAnswer)
                shutdown(from, Int32(SHUT_RDWR))
                shutdown(to, Int32(SHUT_RDWR))
                guard ends.decrement() == 0 else { return }
                state.withLock { _ = ($0.sockets.remove(client), $0.sockets.remove(server)) }
                close(client)
                close(server)
            }
        }
    }

    private func pump(_ from: Int32, _ to: Int32, isAnswer: Bool) {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(from, &bytes, bytes.count)
            guard count > 0 else { return }
            let action = state.withLock { state -> Mode in
                if case .swallowAnswer(let text) = state.mode {
                    let isHit = isAnswer && Data(bytes[..<count]).range(of: Data(text.utf8)) != nil
                    guard isHit else { return .pass }
                    state.swallowed += 1
                }
                return state.mode
            }
            switch action {
            case .pass: break
            case .swallowAnswer, .refuse: return
            case .blackhole: continue
            case .halfClose where isAnswer:
                shutdown(to, Int32(SHUT_WR))
                continue
            case .halfClose: break
            }
            var sent = 0
            while sent < count {
                let written = bytes[sent..<count].withUnsafeBytes {
                    send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard written > 0 else { return }
                sent += written
            }
        }
    }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
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
