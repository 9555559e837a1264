public import Foundation
import TestSupport

/// An HTTP client over a plain socket, which sends exactly the bytes it is given.
public struct RawHTTP: Sendable {
    /// The error when there is no valid answer.
    public struct Failure: Error, CustomStringConvertible {
        /// What happened.
        public let description: String

        /// Makes a failure.
        public init(description: String) {
            self.description = description
        }
    }

    /// A server's answer.
    public struct Reply: Sendable, CustomStringConvertible {
        /// The status code.
        public var status: Int
        /// The header fields, by lower-case name.
        public var headers: [String: String]
        /// The body, as received.
        public var body: Data

        /// The body as text.
        public var text: String { String(decoding: body, as: UTF8.self) }

        /// The status and the body.
        public var description: String { "\(status) \(text)" }

        /// The body as a JSON object; empty when it isn't one.
        public var json: [String: Any] {
            ((try? JSONSerialization.jsonObject(with: body)) as? [String: Any]) ?? [:]
        }
    }

    /// The port on 127.0.0.1.
    public let port: Int

    /// Makes a client for a loopback port.
    public init(port: Int) {
        self.port = port
    }

    /// Sends a request with the header fields that every request needs; those given replace them, and an empty value
    /// omits a field.
    public func send(
        _ method: String = "GET", _ target: String, headers: [String: String] = [:], body: String? = nil
    ) async throws -> Reply {
        var fields = ["Host": "127.0.0.1:\(port)", "Connection": "close"]
        if let body {
            fields["Content-Length"] = String(body.utf8.count)
            fields["Content-Type"] = "application/json"
        }
        for (name, value) in headers { fields[name] = value }
        var text = "\(method) \(target) HTTP/1.1\r\n"
        for (name, value) in fields where !value.isEmpty { text += "\(name): \(value)\r\n" }
        return try await exchange(Data((text + "\r\n" + (body ?? "")).utf8), isHead: method == "HEAD")
    }

    /// Sends bytes and reads one answer; gives up when nothing comes for `limit` seconds.
    public func exchange(_ bytes: Data, isHead: Bool = false, within limit: Double = 45) async throws -> Reply {
        let port = port
        return try await Blocking.run {
            let socket = try RawSocket(port: port, timeout: limit)
            try socket.send(bytes)
            return try Self.parse(socket, isHead: isHead)
        }
    }

    static func parse(_ socket: RawSocket, isHead: Bool) throws -> Reply {
        var head = Data()
        while head.suffix(4) != Data("\r\n\r\n".utf8) {
            guard let byte = try socket.byte() else {
                throw Failure(description: "closed after \"\(String(decoding: head, as: UTF8.self))\"")
            }
            head.append(byte)
        }
        let lines = String(decoding: head, as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count > 1, let status = Int(words[1]) else { throw Failure(description: "answered \(lines[0])") }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        var reply = Reply(status: status, headers: headers, body: Data())
        guard !isHead, status != 204, status != 304 else { return reply }
        if let length = headers["content-length"].flatMap({ Int($0) }) {
            while reply.body.count < length, let byte = try socket.byte() { reply.body.append(byte) }
        } else {
            while let byte = try socket.byte() { reply.body.append(byte) }
        }
        return reply
    }
}

/// A connected socket with buffered reading.
public final class RawSocket {
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var position = 0

    /// Connects to a port of 127.0.0.1; reads and writes give up after `timeout` seconds. `receiveBytes` is the
    /// approximate size of the kernel's receive buffer; by default the kernel decides, and allows megabytes.
    public init(port: Int, timeout: Double = 45, receiveBytes: Int32? = nil) throws {
        descriptor = LoopbackListener.makeSocket()
        guard descriptor >= 0 else { throw RawHTTP.Failure(description: "no socket: \(errno)") }
        var limit = timeval(tv_sec: Int(timeout), tv_usec: Int((timeout - timeout.rounded(.down)) * 1_000_000))
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if var bytes = receiveBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        guard LoopbackListener.connect(descriptor, to: port) else {
            throw RawHTTP.Failure(description: "cannot connect: \(errno)")
        }
    }

    deinit { close(descriptor) }

    /// Sends all bytes.
    public func send(_ bytes: Data) throws {
        guard LoopbackListener.send(bytes, to: descriptor) else {
            throw RawHTTP.Failure(description: "cannot send: \(errno)")
        }
    }

    /// Returns the next byte, or `nil` at the end.
    public func byte() throws -> UInt8? {
        if position == buffer.count {
            var chunk = [UInt8](repeating: 0, count: 65536)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count >= 0 else { throw Waiting.TimedOut("an answer: errno \(errno)") }
            guard count > 0 else { return nil }
            buffer = Array(chunk[..<count])
            position = 0
        }
        defer { position += 1 }
        return buffer[position]
    }

    /// Returns whether the server closes the socket before it sends another byte. A reset counts: a server sends one
    /// when it closes a socket with bytes that it hasn't read.
    public func ends() throws -> Bool {
        guard position == buffer.count else { return false }
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, 0)
        if count < 0, errno != ECONNRESET { throw Waiting.TimedOut("the end: errno \(errno)") }
        return count <= 0
    }

    /// Returns the next line without its line break, or `nil` at the end.
    public func line() throws -> String? {
        var bytes: [UInt8] = []
        while let byte = try byte() {
            if byte == 0x0A {
                if bytes.last == 0x0D { bytes.removeLast() }
                return String(decoding: bytes, as: UTF8.self)
            }
            bytes.append(byte)
        }
        return nil
    }
}
