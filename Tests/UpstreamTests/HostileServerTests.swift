import Foundation
import MarketData
import TestSupport
import Testing

@testable import Upstream

/// Servers that speak PostgreSQL's protocol and mean harm.
@Suite(.blocking, .timeLimit(.minutes(2))) struct HostileServerTests {
    /// One client's connection, from the server's side.
    private struct Client: Sendable {
        let socket: Int32

        /// The next message's body; `kind` is the number of bytes before its length. `nil` at the end.
        func message(kind: Int = 1) -> [UInt8]? {
            var head = [UInt8](repeating: 0, count: kind + 4)
            guard recv(socket, &head, head.count, Int32(MSG_WAITALL)) == head.count else { return nil }
            let length = head.suffix(4).reduce(0) { $0 << 8 | Int($1) } - 4
            var body = [UInt8](repeating: 0, count: length)
            return recv(socket, &body, length, Int32(MSG_WAITALL)) == length ? body : nil
        }

        /// Sends a message; returns whether the client took it.
        @discardableResult
        func say(_ kind: Character, _ body: [UInt8]) -> Bool {
            let length = withUnsafeBytes(of: UInt32(body.count + 4).bigEndian) { Array($0) }
            return LoopbackListener.send(Array(String(kind).utf8) + length + body, to: socket)
        }

        func authentication(_ kind: UInt8, _ text: String = "") { say("R", [0, 0, 0, kind] + Array(text.utf8)) }

        /// Lets the client in.
        func welcome(version: String? = nil) {
            authentication(0)
            if let version { say("S", Array("server_version\0\(version)\0".utf8)) }
            say("S", Array("client_encoding\0UTF8\0".utf8))
            say("Z", Array("I".utf8))
        }
    }

    private static func listen(_ serve: @escaping @Sendable (Client) -> Void) throws -> LoopbackListener {
        let listener = try LoopbackListener()
        listener.accept { socket in
            Thread.detachNewThread {
                defer { close(socket) }
                let client = Client(socket: socket)
                if client.message(kind: 0) != nil { serve(client) }
            }
        }
        return listener
    }

    private func configuration(
        _ listener: LoopbackListener, connectTimeout: Duration = .seconds(60), statementTimeout: Duration = .seconds(60)
    ) throws -> UpstreamConfiguration {
        try UpstreamConfiguration(
            uri: "postgresql://edge:password@127.0.0.1:\(listener.port)/markets?sslmode=disable&gssencmode=disable",
            collector: "edge-1", connectTimeout: connectTimeout, statementTimeout: statementTimeout)
    }

    @Test
    func `a login that is made to take for ever is given up in time, and not tried again at once while one goes on`()
        throws
    {
        let listener = try Self.listen { client in
            client.authentication(10, "SCRAM-SHA-256\0\0")
            guard let first = client.message().map({ String(decoding: $0, as: UTF8.self) }),
                let nonce = first.split(separator: ",").last
            else { return }
            // Some ten seconds of work, so that it ends before the tests do.
            client.authentication(11, "\(nonce)of-the-server,s=c2FsdA==,i=10000000")
            while client.message() != nil {}
        }
        defer { listener.stop() }
        let configuration = try configuration(listener, connectTimeout: .seconds(3))
        for text in ["the login was given up", "an earlier login is still computing"] {
            let error = #expect(throws: UpstreamError.self) {
                try PostgresConnection.connect(configuration, interrupt: Wakeup())
            }
            let line = "\(error, default: "")"
            #expect(error?.reason == .deadline && line.contains(text) && line.contains("scram_iterations"), "\(line)")
        }
    }

    @Test func `logins that are held are tried again all the same, each time later`() {
        var held = HeldLogins()
        let start = MonotonicTime(sinceBoot: .seconds(1000))
        #expect(held.mayTry(start))
        var tries: [Int] = []
        for minute in 0..<70 where held.mayTry(start.advanced(by: .seconds(minute * 60))) {
            tries.append(minute)
            held.add(start.advanced(by: .seconds(minute * 60)))
        }
        #expect(tries == [0, 1, 3, 7, 15, 31, 63])
        for _ in tries { held.end() }
        #expect(held.mayTry(start))
    }

    @Test func `a login that is told a story without end is given up`() throws {
        let listener = try Self.listen { client in
            client.authentication(0)
            let setting = Array("story\0".utf8) + [UInt8](repeating: 0x78, count: 20_000) + [0]
            while client.say("S", setting) {}
        }
        defer { listener.stop() }
        let error = #expect(throws: UpstreamError.self) {
            try PostgresConnection.connect(configuration(listener), interrupt: Wakeup())
        }
        let line = "\(error, default: "")"
        #expect(line.contains("longer than 1 MiB"), "\(line)")
    }

    @Test func `an answer that goes on and on ends a moment after the deadline at the latest`() throws {
        let listener = try Self.listen { client in
            client.welcome()
            guard client.message() != nil else { return }
            // Settings: each costs libpq more time than the one before, so there is always one to read.
            var number = 0
            while client.say("S", Array("setting_\(number)\0on\0".utf8)) { number += 1 }
        }
        defer { listener.stop() }
        let connection = try PostgresConnection.connect(
            configuration(listener, statementTimeout: .seconds(1)), interrupt: Wakeup())
        let error = #expect(throws: UpstreamError.self) { try connection.run("SELECT 1", "ask") }
        #expect(error?.reason == .deadline)
        #expect(!connection.isUsable)
    }

    @Test(arguments: [("14.12 (Debian 14.12-1.pgdg120+1)", "14.12"), ("9.6.24", "9.6")])
    func `a server before PostgreSQL 15 is refused, and its version told`(version: String, told: String) throws {
        let listener = try Self.listen { client in
            client.welcome(version: version)
            while client.message() != nil {}
        }
        defer { listener.stop() }
        let error = #expect(throws: UpstreamError.self) {
            try PostgresConnection.connect(configuration(listener), interrupt: Wakeup())
        }
        #expect(error?.reason == .configuration)
        #expect(error?.text == "PostgreSQL 15 or later is needed, and this is \(told)")
        #expect(error?.description.hasSuffix("; upgrade the server, or name another one in DATABASE_URI") == true)
    }
}
