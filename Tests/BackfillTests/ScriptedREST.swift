import Foundation
import Synchronization
import TestSupport

/// A REST server on loopback that answers as told; each request has a connection and a thread of its own.
final class ScriptedREST: Sendable {
    /// The port on 127.0.0.1.
    let port: Int
    private let listener: LoopbackListener
    private let targets = Mutex<[String]>([])

    /// The targets that were asked for, in order.
    var requests: [String] { targets.withLock { $0 } }

    init(_ answer: @escaping @Sendable (_ target: String) -> (status: Int, body: String)) throws {
        listener = try LoopbackListener()
        port = listener.port
        listener.accept { [weak self] client in
            guard let self else {
                close(client)
                return
            }
            Thread.detachNewThread { self.serve(client, answer) }
        }
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
