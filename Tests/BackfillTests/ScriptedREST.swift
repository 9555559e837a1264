import Foundation
import Logging
import MarketData
import Synchronization
import TestSupport

@testable import Backfill

extension AggregatesClient {
    /// A client of a server on loopback. If `tries` is given, its requests per minute aren't limited either.
    static func local(
        _ port: Int, path: String = "", key: String = "key", tries: Int? = nil, logger: Logger = .quiet
    ) throws -> AggregatesClient {
        var configuration = Configuration(url: "http://127.0.0.1:\(port)\(path)", apiKey: Secret(key))
        if let tries {
            configuration.limit = RequestLimit(requestsPerMinute: 0)
            configuration.tries = tries
        }
        return try AggregatesClient(configuration: configuration, logger: logger)
    }
}

/// A REST server on loopback that answers as told; each request has a connection and a thread of its own.
final class ScriptedREST: Sendable {
    /// The port on 127.0.0.1.
    let port: Int
    private let listener: LoopbackListener
    private let targets = Mutex<[String]>([])
    private let clock: Int64?

    /// The targets that were asked for, in order; not those of HEAD.
    var requests: [String] { targets.withLock { $0 } }

    /// - Parameter clock: what the server's clock shows, in milliseconds since the Unix epoch; `nil` without one.
    init(
        clock: Int64? = nil, _ answer: @escaping @Sendable (_ target: String) -> (status: Int, body: String)
    ) throws {
        self.clock = clock
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
        var (status, body) = (200, "")
        if words[0] != "HEAD" {
            targets.withLock { $0.append(String(words[1])) }
            (status, body) = answer(String(words[1]))
        }
        let date = clock.map { "Date: \(Self.httpDate($0))\r\n" } ?? ""
        let head = "HTTP/1.1 \(status) X\r\n\(date)Content-Length: \(body.utf8.count)\r\nConnection: close"
        LoopbackListener.send("\(head)\r\n\r\n\(body)".utf8, to: client)
    }

    private static func httpDate(_ milliseconds: Int64) -> String {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(secondsFromGMT: 0)
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return format.string(from: Date(timeIntervalSince1970: Double(milliseconds / 1000)))
    }

    /// A page of bars with these starts, and a link to the next page.
    static func page(_ starts: some Sequence<Int64>, next: String? = nil) -> (status: Int, body: String) {
        let bars = starts.map { #"{"t":\#($0),"o":1,"h":1,"l":1,"c":1,"v":5}"# }.joined(separator: ",")
        return (200, #"{"status":"OK","results":[\#(bars)]"# + (next.map { #","next_url":"\#($0)"}"# } ?? "}"))
    }
}
