import Collector
import Foundation
import MarketData
import Testing
import WebAPI
import WebAPISupport

/// Who may come in, tried on a real socket.
@Suite(.timeLimit(.minutes(2))) struct AccessTests {
    private static let token = "a-token-of-some-length"

    @Test func `every answer carries the security headers`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            for target in ["/", "/api/status", "/metrics", "/nothing", "/assets/main.js"] {
                let reply = try await http.send("GET", target)
                let policy = try #require(reply.headers["content-security-policy"], "\(target)")
                #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
                #expect(!policy.contains("unsafe"))
                #expect(reply.headers["x-content-type-options"] == "nosniff")
                #expect(reply.headers["referrer-policy"] == "no-referrer")
                #expect(reply.headers["server"] == nil)
            }
        }
    }

    @Test func `a foreign Host is refused everywhere`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            for target in ["/", "/api/status", "/health/live", "/metrics", "/api/events", "/nothing"] {
                let reply = try await http.send("GET", target, headers: ["Host": "evil.example"])
                #expect(reply.status == 421, "\(target)")
                #expect(reply.headers["content-type"] == "application/problem+json")
            }
            #expect(try await http.send("GET", "/api/status", headers: ["Host": ""]).status == 400)
            #expect(try await http.send("GET", "/api/status", headers: ["Host": "localhost:1"]).status == 200)
        }
    }

    @Test func `another site's page changes nothing, follows no events and has no answer made`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            let guarded = [
                ("POST", "/api/sync"), ("POST", "/api/websocket/rebalance"), ("POST", "/api/websocket/subscriptions"),
                ("DELETE", "/api/websocket/subscriptions"), ("POST", "/api/websocket/connections/connection_3"),
                ("DELETE", "/api/websocket/connections/connection_1"), ("GET", "/api/events"),
                ("GET", "/api/coverage?days=400&by=month"), ("GET", "/api/bars?symbol=AAPL"), ("GET", "/metrics"),
            ]
            for (method, target) in guarded {
                for headers in [
                    ["Origin": "http://evil.example"], ["Origin": "null"], ["Sec-Fetch-Site": "cross-site"],
                ] {
                    let reply = try await http.send(method, target, headers: headers)
                    #expect(reply.status == 403, "\(method) \(target) \(headers)")
                    #expect(reply.json["type"] as? String == "urn:edgetick:problem:foreign-origin")
                }
            }
            #expect(server.collector.current.pushes == 0)
            #expect(server.collector.snapshot().connections.count == 2)
            let own = try await http.send("POST", "/api/sync", headers: ["Origin": "http://127.0.0.1:\(server.port)"])
            #expect(own.status == 202)
            // A link leads to the page, and monitors of other sites may look whether it is up.
            let foreign = ["Sec-Fetch-Site": "cross-site"]
            for target in ["/", "/assets/main.js"] {
                #expect(try await http.send("GET", target, headers: foreign).status == 200, "\(target)")
            }
            try await http.untilStatus(200, of: "/health/live", headers: foreign)
            for site in ["same-origin", "none"] {
                let reply = try await http.send("GET", "/api/status", headers: ["Sec-Fetch-Site": site])
                #expect(reply.status == 200, "\(site)")
            }
        }
    }

    @Test func `a token is asked for, and neither page nor health need it`() async throws {
        let configuration = try WebConfiguration(port: 0, token: Secret(Self.token))
        try await RunningServer.run(configuration) { server in
            let http = RawHTTP(port: server.port)
            for (method, target) in [
                ("GET", "/api/status"), ("GET", "/metrics"), ("GET", "/api/events"), ("POST", "/api/sync"),
                ("GET", "/api/universes/tech"), ("GET", "/api/bars?symbol=AAPL"),
            ] {
                let none = try await http.send(method, target)
                #expect(none.status == 401, "\(method) \(target)")
                #expect(none.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
                let wrong = try await http.send(method, target, headers: ["Authorization": "Bearer wrong"])
                #expect(wrong.status == 401)
                #expect(!wrong.text.contains(Self.token))
            }
            for target in ["/", "/assets/main.js", "/api/openapi.json"] {
                #expect(try await http.send("GET", target).status == 200, "\(target)")
            }
            for target in ["/health/live", "/health/ready"] { try await http.untilStatus(200, of: target) }
            let right = try await http.send("GET", "/api/status", headers: ["Authorization": "Bearer \(Self.token)"])
            #expect(right.status == 200)
        }
    }

    @Test func `health tells details only to those with the token`() async throws {
        let configuration = try WebConfiguration(port: 0, token: Secret(Self.token))
        try await RunningServer.run(configuration) { server in
            let http = RawHTTP(port: server.port)
            let plain = try await http.untilStatus(200, of: "/health/ready")
            #expect(plain.json["status"] as? String == "ok")
            #expect(!plain.text.contains("\"detail\":\""))
            let full = try await http.send("GET", "/health/ready", headers: ["Authorization": "Bearer \(Self.token)"])
            #expect(full.text.contains("2 of 2 connections collect"))
        }
    }

    @Test func `other methods are told which ones work`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            for (method, target, allow) in [
                ("PUT", "/api/sync", "GET, HEAD, POST"), ("POST", "/api/status", "GET, HEAD"),
                ("GET", "/api/websocket/rebalance", "POST"), ("PATCH", "/", "GET, HEAD"),
                ("GET", "/api/websocket/subscriptions", "POST, DELETE"),
                ("PUT", "/api/websocket/connections/connection_1", "GET, HEAD, POST, DELETE"),
            ] {
                let reply = try await http.send(method, target)
                #expect(reply.status == 405, "\(method) \(target)")
                #expect(reply.headers["allow"] == allow)
                #expect(reply.json["status"] as? Int == 405)
            }
            let options = try await http.send("OPTIONS", "/api/sync")
            #expect(options.status == 204)
            #expect(options.headers["allow"] == "GET, HEAD, POST")
            #expect(options.headers["access-control-allow-origin"] == nil)
        }
    }

    @Test func `HEAD answers as GET does, without the body`() async throws {
        try await RunningServer.run { server in
            let http = RawHTTP(port: server.port)
            for target in ["/", "/assets/layout.css", "/health/live", "/api/websocket/connections"] {
                let head =
                    if target.hasPrefix("/health") {
                        try await http.untilStatus(200, of: target, "HEAD")
                    } else {
                        try await http.send("HEAD", target)
                    }
                #expect(head.status == 200, "\(target)")
                #expect(head.body.isEmpty)
                #expect((head.headers["content-length"].flatMap { Int($0) } ?? 0) >= 100)
            }
            #expect(try await http.send("HEAD", "/api/events").status == 200)
        }
    }
}
