import Foundation
import Glibc
import TestSupport
import Testing

/// A socket that sends exactly the bytes it is given, and parses a server's frames.
final class RawSocket {
    private let socket: Int32
    private var received: [UInt8] = []

    init(port: Int) throws {
        socket = LoopbackListener.makeSocket()
        try #require(LoopbackListener.connect(socket, to: port))
        // Nothing that a test waits for takes longer.
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(socket) }

    func write(_ text: String) { write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) { LoopbackListener.send(bytes, to: socket) }

    /// A frame as clients send it: masked.
    func frame(_ opcode: UInt8, _ text: String) {
        let mask: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        let payload = Array(text.utf8).enumerated().map { $0.element ^ mask[$0.offset % 4] }
        let length: [UInt8] =
            payload.count < 126
            ? [0x80 | UInt8(payload.count)] : [0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        write([0x80 | opcode] + length + mask + payload)
    }

    private func more() throws {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(socket, &bytes, bytes.count, 0)
        try #require(count > 0, "the server says no more")
        received += bytes.prefix(count)
    }

    /// Reads one byte, if there is one, and discards it.
    func dropByte() {
        var byte: UInt8 = 0
        _ = recv(socket, &byte, 1, Int32(MSG_DONTWAIT))
    }

    /// The lines of the answer to the handshake.
    func head() throws -> [String] {
        let end = Array("\r\n\r\n".utf8)
        while true {
            if let place = received.indices.first(where: { received[$0...].starts(with: end) }) {
                let text = String(decoding: received[..<place], as: UTF8.self)
                received.removeFirst(place + 4)
                return text.split(separator: "\r\n").map(String.init)
            }
            try more()
        }
    }

    /// Asks for a WebSocket as client-go does, and returns the lines of the answer.
    @discardableResult
    func shakeHands(port: Int) throws -> [String] {
        write(
            "GET /stocks HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nUser-Agent: Go-http-client/1.1\r\n"
                + "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                + "Sec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n\r\n")
        return try head()
    }

    /// The next frame of the server, which masks none and fragments none.
    func frame() throws -> (opcode: UInt8, payload: [UInt8]) {
        func need(_ count: Int) throws { while received.count < count { try more() } }
        try need(2)
        try #require(received[0] & 0xF0 == 0x80 && received[1] & 0x80 == 0)
        var (length, start) = (Int(received[1]), 2)
        if length == 126 {
            try need(4)
            (length, start) = (Int(received[2]) << 8 | Int(received[3]), 4)
        }
        try need(start + length)
        defer { received.removeFirst(start + length) }
        return (received[0] & 0x0F, Array(received[start..<start + length]))
    }

    /// The objects of the next message, as a client without types reads them.
    func message() throws -> [[String: Any]] {
        while true {
            let (opcode, payload) = try frame()
            guard opcode == 1 else { continue }
            return try #require(try JSONSerialization.jsonObject(with: Data(payload)) as? [[String: Any]])
        }
    }
}
