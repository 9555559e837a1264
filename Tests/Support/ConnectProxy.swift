import Foundation
import Synchronization

/// An HTTP proxy on loopback that takes CONNECT to ports of this machine alone, each connection on threads of its own.
public final class ConnectProxy: Sendable {
    /// The port on 127.0.0.1.
    public let port: Int
    private let listener: Int32
    private let credentials: String?
    private let answer: String?
    private let received = Mutex<[String]>([])
    private let isStopped = Atomic(false)

    /// Listens on a free port.
    ///
    /// - Parameters:
    ///   - credentials: What a request must bring, in base 64; `nil` takes all.
    ///   - answer: What is said in place of a way; an empty text closes the connection, another leaves it open.
    public init(credentials: String? = nil, answer: String? = nil) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        self.credentials = credentials
        self.answer = answer
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (isListening, address) = Self.withAddress(port: 0) { address in
            bind(listener, address, length) == 0 && listen(listener, 16) == 0
                && getsockname(listener, address, &length) == 0
        }
        guard isListening else { throw POSIXError(.EADDRINUSE) }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [listener, weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                guard let self else {
                    close(client)
                    return
                }
                Thread.detachNewThread { self.serve(client) }
            }
        }
    }

    deinit { stop() }

    /// The heads of the requests.
    public var heads: [String] { received.withLock { $0 } }

    /// Takes no further connection.
    public func stop() {
        guard !isStopped.exchange(true, ordering: .relaxed) else { return }
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

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
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(server) }
        let (isConnected, _) = Self.withAddress(port: target) {
            connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
        guard text.hasPrefix("CONNECT "), isConnected else { return }
        Self.send(Array("HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n".utf8)[...], to: client)
        let isBack = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            Self.pass(from: server, to: client)
            isBack.signal()
        }
        Self.pass(from: client, to: server)
        isBack.wait()
    }

    /// Says something in place of a way, and leaves it to the client to close.
    private static func say(_ text: String, to client: Int32) {
        send(Array(text.utf8)[...], to: client)
        var byte: UInt8 = 0
        while read(client, &byte, 1) > 0 {}
    }

    private static func pass(from source: Int32, to target: Int32) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(source, &buffer, buffer.count)
            guard count > 0, send(buffer[..<count], to: target) else { break }
        }
        shutdown(target, Int32(SHUT_RDWR))
        shutdown(source, Int32(SHUT_RDWR))
    }

    @discardableResult
    private static func send(_ bytes: ArraySlice<UInt8>, to socket: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes {
                Foundation.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard written > 0 else { return false }
            rest = rest.dropFirst(written)
        }
        return true
    }

    private static func withAddress(
        port: Int, _ body: (UnsafeMutablePointer<sockaddr>) -> Bool
    ) -> (Bool, sockaddr_in) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0) }
        }
        return (result, address)
    }
}
