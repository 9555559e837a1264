import Collector
import Foundation
import MarketData
import TestSupport
import Testing
import WebAPI
import WebAPISupport

/// What one client can do to the server, tried on a real socket.
@Suite(.timeLimit(.minutes(2))) struct LimitTests {
    private func configuration(_ change: (inout WebConfiguration.Limits) -> Void) throws -> WebConfiguration {
        var limits = WebConfiguration.Limits()
        change(&limits)
        return try WebConfiguration(port: 0, limits: limits)
    }

    @Test func `a body too large is refused, announced or not`() async throws {
        try await RunningServer.run(try configuration { $0.bodyBytes = 1000 }) { server in
            let http = RawHTTP(port: server.port)
            let announced = try await http.send(
                "POST", "/api/websocket/subscriptions", body: String(repeating: " ", count: 1001))
            #expect(announced.status == 413)
            #expect(announced.headers["connection"] == "close")
            var chunked = "POST /api/websocket/subscriptions HTTP/1.1\r\nHost: localhost\r\n"
            chunked += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            for _ in 0..<3 { chunked += "190\r\n" + String(repeating: " ", count: 400) + "\r\n" }
            let reply = try await http.exchange(Data((chunked + "0\r\n\r\n").utf8))
            #expect(reply.status == 413)
        }
    }

    @Test func `a body that does not come ends in time`() async throws {
        try await RunningServer.run(try configuration { $0.bodyTimeout = .milliseconds(200) }) { server in
            let head = "POST /api/websocket/subscriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"
            let reply = try await RawHTTP(port: server.port).exchange(Data(head.utf8))
            #expect(reply.status == 408)
        }
    }

    @Test func `a head that does not come ends in time`() async throws {
        try await RunningServer.run(try configuration { $0.idleTimeout = .milliseconds(300) }) { server in
            let port = server.port
            let isClosed = try await Blocking.run {
                let socket = try RawSocket(port: port)
                try socket.send(Data("GET / HTTP/1.1\r\nHost: local".utf8))
                return try socket.ends()
            }
            #expect(isClosed)
        }
    }

    @Test func `a head that comes byte by byte ends in time too`() async throws {
        let limits = try configuration {
            $0.headTimeout = .milliseconds(400)
            $0.idleTimeout = .seconds(600)
        }
        try await RunningServer.run(limits) { server in
            let port = server.port
            let (isClosed, took) = try await Blocking.run {
                // The server's time begins while the socket connects.
                let begun = ContinuousClock.now
                let socket = try RawSocket(port: port)
                try? socket.send(Data("GET / HTTP/1.1\r\nX: ".utf8))
                // After the close, one more write succeeds before the next one fails.
                while ContinuousClock.now - begun < .seconds(60) {
                    guard (try? socket.send(Data("x".utf8))) != nil else {
                        return (true, ContinuousClock.now - begun)
                    }
                    usleep(50_000)
                }
                return (false, ContinuousClock.now - begun)
            }
            #expect(isClosed && took >= .milliseconds(400))
        }
    }

    @Test func `health answers however many sockets are held half open`() async throws {
        let limits = try configuration {
            $0.connections = 20
            // So long that no held socket is closed for being late.
            $0.headTimeout = .seconds(600)
            $0.idleTimeout = .seconds(600)
        }
        try await RunningServer.run(limits) { server in
            let port = server.port
            let held = try await Blocking.run {
                try (0..<60).map { _ in
                    let socket = try RawSocket(port: port)
                    try socket.send(Data("GET /health/live HTTP/1.1\r\nHost: local".utf8))
                    return HeldSocket(socket: socket)
                }
            }
            // A socket is open to its client before the server's loops have made room for it. Until they have for all,
            // a held one may come after that of a request, and crowd it out.
            try await Waiting.until("room for 20 of 60 sockets") {
                let metrics = try? await RawHTTP(port: port).send("GET", "/metrics").text
                let evicted = metrics?.firstMatch(of: /refused_requests_total\{reason="room"\} ([0-9]+)/)
                return evicted.flatMap { Int($0.1) } ?? 0 >= 40
            }
            // The client gives up long before the held sockets would be closed for being late.
            try await RawHTTP(port: port).untilStatus(200, of: "/health/live")
            withExtendedLifetime(held) {}
        }
    }

    @Test func `a request under way is not the one that goes`() async throws {
        let limits = try configuration { $0.connections = 4 }
        try await RunningServer.run(limits) { server in
            let port = server.port
            let line = try await Blocking.run {
                let stream = try RawSocket(port: port)
                try stream.send(Data("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
                let first = try stream.line()
                let held = try (0..<12).map { _ in try RawSocket(port: port) }
                _ = try RawSocket(port: port).send(Data("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
                // Events keep coming, even some time later.
                let opened = ContinuousClock.now
                var isAlive = false
                while !isAlive, let next = try stream.line() {
                    isAlive = next.hasPrefix("event:") && ContinuousClock.now - opened > .milliseconds(500)
                }
                withExtendedLifetime(held) {}
                return (first, isAlive)
            }
            #expect(line.0?.contains("200") == true && line.1)
        }
    }

    @Test(arguments: [
        ("GET /health/live HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        ("GET /health/live HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n", 400),
        ("GET http://localhost/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("GET http://evil.example/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("POST /api/sync HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST /api/sync HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", 501),
    ])
    func `a request that another program could read differently is refused and the socket closed`(
        text: String, status: Int
    ) async throws {
        try await RunningServer.run { server in
            let reply = try await RawHTTP(port: server.port).exchange(Data(text.utf8))
            #expect(reply.status == status)
            #expect(reply.headers["connection"] == "close")
        }
    }

    @Test func `header fields too large are refused`() async throws {
        try await RunningServer.run { server in
            let reply = try await RawHTTP(port: server.port).send(
                "GET", "/", headers: ["X-Long": String(repeating: "x", count: 20_000)])
            #expect(reply.status == 431)
            #expect(reply.headers["content-type"] == "application/problem+json")
        }
    }

    @Test(arguments: [
        "GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", "GET /\u{0} HTTP/1.1\r\n\r\n",
    ])
    func `what is no HTTP is answered and closed`(text: String) async throws {
        try await RunningServer.run { server in
            let reply = try await RawHTTP(port: server.port).exchange(Data(text.utf8))
            #expect(reply.status == 400)
            #expect(reply.json["type"] as? String == "urn:edgetick:problem:malformed-request")
        }
    }

    @Test func `a hanging disk costs those who ask for it, and nobody else`() async throws {
        let limits = try configuration {
            $0.calls = 2
            $0.callTimeout = .milliseconds(150)
        }
        try await RunningServer.run(limits) { server in
            let http = RawHTTP(port: server.port)
            server.collector.change { $0.fileDelay = .seconds(600) }
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 { group.addTask { try await http.send("GET", "/api/bars?symbol=AAPL").status } }
                // These are answered while the file hangs; otherwise the client would give up first.
                for target in [
                    "/health/live", "/health/ready", "/metrics", "/api/status", "/api/admin/websocket-status",
                ] {
                    try await http.untilStatus(200, of: target)
                }
                for try await status in group { #expect(status == 503) }
            }
            // The two calls that hang keep their places, so the next one is not even tried.
            let next = try await http.send("GET", "/api/gaps")
            #expect(next.status == 503)
            #expect(next.headers["retry-after"] != nil)
        }
    }

    @Test func `coverage that waits for a database takes no place from what the file has`() async throws {
        let limits = try configuration {
            $0.calls = 1
            $0.callTimeout = .milliseconds(150)
        }
        try await RunningServer.run(limits) { server in
            let http = RawHTTP(port: server.port)
            server.collector.change { $0.fileDelay = .seconds(600) }
            var statuses: [Int] = []
            for _ in 0..<2 { statuses.append(try await http.send("GET", "/api/coverage").status) }
            // On a loaded machine a call may begin only after its time is up.
            try await Waiting.until("two calls that hang") { server.collector.current.fileReads == 2 }
            server.collector.change { $0.fileDelay = .zero }
            // Those two keep the places of coverage, and no other.
            statuses.append(try await http.send("GET", "/api/coverage").status)
            #expect(statuses == [503, 503, 503])
            // On a loaded machine a call for bars may exceed its short time too, but then its place is free again.
            try await http.untilStatus(200, of: "/api/bars?symbol=AAPL")
        }
    }

    @Test func `a collector that hangs is reported, and health still answers`() async throws {
        let collector = HangingCollector(.market())
        try await RunningServer.run(source: collector, configuration: WebConfiguration(port: 0)) { http in
            try await http.untilStatus(200, of: "/health/live")
            collector.hang()
            defer { collector.resume() }
            let last = try await http.untilStatus(503, of: "/health/live")
            #expect(last.text.contains("the status loop made no progress"))
            #expect(try await http.send("GET", "/health/ready").status == 503)
        }
    }

    @Test func `a taken port is said plainly`() async throws {
        try await RunningServer.run { server in
            let error = await #expect(throws: WebError.self) {
                try await RunningServer.run(port: server.port) { _ in }
            }
            #expect(error?.reason == .bind)
            #expect(error?.description.contains("another program has the port") == true)
        }
    }

    @Test func `a reader of events and an idle socket do not hold up the end`() async throws {
        let limits = try configuration {
            $0.headTimeout = .seconds(600)
            $0.idleTimeout = .seconds(600)
        }
        let clock = ContinuousClock()
        let port = Box<[RawSocket]>([])
        let time = try await clock.measure {
            try await RunningServer.run(limits) { server in
                let sockets = try await Blocking.run { [port = server.port] in
                    let reader = try RawSocket(port: port)
                    try reader.send(Data("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
                    _ = try reader.line()
                    return Box([reader, try RawSocket(port: port)])
                }
                port.value = sockets.value
            }
        }
        // An idle socket would be closed after ten minutes.
        #expect(time < .seconds(300))
    }
}

/// Holds something that tests hand between threads.
final class Box<Value>: @unchecked Sendable {
    var value: Value
    init(_ value: Value) { self.value = value }
}

/// A socket that is held from another thread than it was made on; nothing is read from it there.
private struct HeldSocket: @unchecked Sendable {
    let socket: RawSocket
}
