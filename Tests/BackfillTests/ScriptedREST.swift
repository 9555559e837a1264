import Foundation
import Synchronization

/// A REST server on loopback that answers as it is told; one connection a request, each on a thread of its own.
final class ScriptedREST: Sendable {
    /// The port on 127.0.0.1.
    let port: Int
    private let listener: Int32
    private let targets = Mutex<[String]>([])

    /// The targets that were asked for, in their order.
    var requests: [String] { targets.withLock { $0 } }

    init(_ answer: @escaping @Sendable (_ target: String) -> (status: Int, body: String)) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 16) == 0 && getsockname(listener, $0, &length) == 0
            }
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
                Thread.detachNewThread { self.serve(client, answer) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func serve(_ client: Int32, _ answer: (String) -> (status: Int, body: String)) {
        defer { close(client) }
        var request: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 8192)
        while !request.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            let count = read(client, &buffer, buffer.count)
            guard count > 0 else { return }
            request += buffer[..<count]
        }
        let words = String(decoding: request, as: UTF8.self).split(separator: " ")
        guard words.count > 1 else { return }
        targets.withLock { $0.append(String(words[1])) }
        let (status, body) = answer(String(words[1]))
        var bytes = Array(
            "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)".utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard written > 0 else { return }
            bytes = bytes.dropFirst(written)
        }
    }

    /// A page of bars with these starts, and a link to the next page.
    static func page(_ starts: some Sequence<Int64>, next: String? = nil) -> (status: Int, body: String) {
        let bars = starts.map { #"{"t":\#($0),"o":1,"h":1,"l":1,"c":1,"v":5}"# }.joined(separator: ",")
        return (200, #"{"status":"OK","results":[\#(bars)]"# + (next.map { #","next_url":"\#($0)"}"# } ?? "}"))
    }
}
