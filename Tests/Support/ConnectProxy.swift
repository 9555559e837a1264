import Foundation
import Synchronization

/// An HTTP proxy on loopback that accepts CONNECT only to ports of this machine and serves each connection on separate
/// threads.
public final class ConnectProxy: Sendable {
    /// The port on 127.0.0.1.
    public let port: Int
    private let listener: LoopbackListener
    private let credentials: String?
    private let answer: String?
    private let received = Mutex<[String]>([])

    /// Listens on a free port.
    ///
    /// - Parameters:
    ///   - credentials: The credentials that a request must carry, in base 64; `nil` accepts every request.
    ///   - answer: What to send instead of making a tunnel. After an empty text the proxy closes the connection; after
    ///     any other it leaves it open.
    public init(credentials: String? = nil, answer: String? = nil) throws {
        listener = try LoopbackListener()
        port = listener.port
        self.credentials = credentials
        self.answer = answer
        listener.accept { [weak self] client in
            guard let self else {
                close(client)
                return
            }
            Thread.detachNewThread { self.serve(client) }
        }
    }

    /// The heads of the requests.
    public var heads: [String] { received.withLock { $0 } }

    /// Stops accepting connections.
    public func stop() { listener.stop() }

    private func serve(_ client: Int32) {
        defer { close(client) }
        var head: [UInt8] = []
        var byte: UInt8 = 0
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard read(client, &byte, 1) == 1 else { return }
            head.append(byte)
        }
        let text = String(decoding: head, as: UTF8.self)
        received.withLock { $0.append(text) }
        if let answer {
            guard !answer.isEmpty else { return }
            return Self.say(answer, to: client)
        }
        let login = text.split(whereSeparator: \.isNewline).first {
            $0.lowercased().hasPrefix("proxy-authorization: basic ")
        }
        if let credentials, login?.hasSuffix(" " + credentials) != true {
            return Self.say("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", to: client)
        }
        let target = text.split(separator: " ").dropFirst().first?.split(separator: ":").last.flatMap { Int($0) } ?? 0
        let server = LoopbackListener.makeSocket()
        defer { close(server) }
        guard text.hasPrefix("CONNECT "), LoopbackListener.connect(server, to: target) else { return }
        LoopbackListener.send("HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n".utf8, to: client)
        let isBack = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            Self.pass(from: server, to: client)
            isBack.signal()
        }
        Self.pass(from: client, to: server)
        isBack.wait()
    }

    /// Sends a text instead of making a tunnel, and leaves it to the client to close the connection.
    private static func say(_ text: String, to client: Int32) {
        LoopbackListener.send(text.utf8, to: client)
        var byte: UInt8 = 0
        while read(client, &byte, 1) > 0 {}
    }

    private static func pass(from source: Int32, to target: Int32) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(source, &buffer, buffer.count)
            guard count > 0, LoopbackListener.send(buffer[..<count], to: target) else { break }
        }
        shutdown(target, Int32(SHUT_RDWR))
        shutdown(source, Int32(SHUT_RDWR))
    }
}
