import Foundation
import Synchronization

/// A TCP listener on a free port of 127.0.0.1.
public final class LoopbackListener: Sendable {
    /// The port.
    public let port: Int
    private let socket: ListeningSocket

    /// Listens on a free port. Connections wait until ``accept(_:)`` is called.
    public init() throws {
        let descriptor = Self.makeSocket()
        guard let port = Self.bind(descriptor), listen(descriptor, 128) == 0 else { throw POSIXError(.EADDRINUSE) }
        self.port = port
        socket = ListeningSocket(descriptor)
    }

    deinit { stop() }

    /// Passes each connection to `take`, one at a time, on a separate thread; `take` must see to closing it. Call this
    /// once.
    public func accept(_ take: @escaping @Sendable (Int32) -> Void) {
        Thread.detachNewThread { [socket] in
            while true {
                let client = Foundation.accept(socket.descriptor, nil, nil)
                guard client >= 0 else { break }
                // A program started meanwhile would keep the connection open after it is closed here.
                _ = fcntl(client, F_SETFD, FD_CLOEXEC)
                take(client)
            }
            socket.close()
        }
    }

    /// Stops accepting connections.
    public func stop() { socket.end() }

    /// A socket for ``connect(_:to:)``.
    public static func makeSocket() -> Int32 {
        Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }

    /// Connects a socket to a port; returns `false` if nothing listens there.
    public static func connect(_ descriptor: Int32, to port: Int) -> Bool {
        withAddress(port: port) { address, length in Foundation.connect(descriptor, address, length) == 0 }.isDone
    }

    /// Sends all bytes; returns `false` if the other side takes no more.
    @discardableResult
    public static func send(_ bytes: some Sequence<UInt8>, to socket: Int32) -> Bool {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// The ports that ``freePort()`` has returned.
    private static let givenOut = Mutex<Set<Int>>([])

    /// Returns a port that nothing listens on now, each once in this process; another one may be given the same.
    ///
    /// It is below those that the kernel gives to everything else that asks for any port, so it stays free until it is
    /// used, and while a server is down between two starts.
    public static func freePort() -> Int? {
        for _ in 0..<1000 {
            let port = Int.random(in: 16_000..<32_000)
            guard givenOut.withLock({ $0.insert(port).inserted }) else { continue }
            let descriptor = makeSocket()
            defer { close(descriptor) }
            if bind(descriptor, to: port) != nil { return port }
        }
        return nil
    }

    /// Binds a socket to a port, or to any free one, and returns that.
    private static func bind(_ descriptor: Int32, to wanted: Int = 0) -> Int? {
        let (isBound, port) = withAddress(port: wanted) { address, length in
            var length = length
            return Foundation.bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
        }
        return isBound ? port : nil
    }

    private static func withAddress(
        port: Int, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Bool
    ) -> (isDone: Bool, port: Int) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isDone = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return (isDone, Int(UInt16(bigEndian: address.sin_port)))
    }
}

/// A socket that one thread uses and closes while others may shut it down. The lock prevents a shutdown after the
/// close, when the descriptor may belong to something else.
private final class ListeningSocket: Sendable {
    let descriptor: Int32
    private let isClosed = Mutex(false)

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    func end() {
        isClosed.withLock { isClosed in
            if !isClosed { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    func close() {
        isClosed.withLock { isClosed in
            isClosed = true
            Foundation.close(descriptor)
        }
    }
}
