import Foundation
import TestSupport
import Testing

@testable import Upstream

@Suite(.timeLimit(.minutes(2))) struct LoginTests {
    /// Says to each client that it should hash its password so many times, and waits for what comes of it.
    private static func listen(rounds: Int) throws -> LoopbackListener {
        let listener = try LoopbackListener()
        listener.accept { client in
            Thread.detachNewThread {
                defer { close(client) }
                /// The next message of the client's, after a kind of one byte where it has one.
                func message(kind: Int) -> [UInt8]? {
                    var head = [UInt8](repeating: 0, count: kind + 4)
                    guard recv(client, &head, head.count, Int32(MSG_WAITALL)) == head.count else { return nil }
                    let length = head.suffix(4).reduce(0) { $0 << 8 | Int($1) } - 4
                    var body = [UInt8](repeating: 0, count: length)
                    return recv(client, &body, length, Int32(MSG_WAITALL)) == length ? body : nil
                }
                func authentication(_ kind: UInt8, _ text: String) {
                    let body = [0, 0, 0, kind] + Array(text.utf8)
                    let bytes = [UInt8(ascii: "R"), 0, 0, 0, UInt8(body.count + 4)] + body
                    send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                }
                guard message(kind: 0) != nil else { return }
                authentication(10, "SCRAM-SHA-256\0\0")
                guard let first = message(kind: 1).map({ String(decoding: $0, as: UTF8.self) }),
                    let nonce = first.split(separator: ",").last
                else { return }
                authentication(11, "\(nonce)of-the-server,s=c2FsdA==,i=\(rounds)")
                while message(kind: 1) != nil {}
            }
        }
        return listener
    }

    @Test func `that a server makes take for ever are given up in time, and not tried again while one goes on`() throws
    {
        // Some ten seconds of work, so that it ends before the tests do.
        let listener = try Self.listen(rounds: 10_000_000)
        defer { listener.stop() }
        let configuration = try UpstreamConfiguration(
            uri: "postgresql://edge:password@127.0.0.1:\(listener.port)/markets?sslmode=disable&gssencmode=disable",
            collector: "edge-1", connectTimeout: .milliseconds(500))
        for text in ["the login was given up", "an earlier login is still computing"] {
            let error = #expect(throws: UpstreamError.self) {
                try PostgresConnection.connect(configuration, interrupt: Wakeup())
            }
            #expect(error?.reason == .deadline && "\(error, default: "")".contains(text), "\(error, default: "")")
            #expect("\(error, default: "")".contains("scram_iterations"))
        }
    }
}
