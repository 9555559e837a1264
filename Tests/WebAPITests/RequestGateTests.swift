import HTTPTypes
import MarketData
import Testing

@testable import WebAPI

@Suite(.timeLimit(.minutes(2))) struct RequestGateTests {
    private func gate(
        host: String = "127.0.0.1", token: String? = nil, names: [String] = []
    ) throws -> RequestGate {
        RequestGate(try WebConfiguration(host: host, token: token.map { Secret($0) }, names: names))
    }

    private func head(
        _ host: String?, origin: String? = nil, site: String? = nil, authorization: String? = nil
    ) -> HTTPRequest {
        var head = HTTPRequest(method: .get, scheme: nil, authority: host, path: "/")
        head.headerFields[.origin] = origin
        head.headerFields[HTTPField.Name("Sec-Fetch-Site")!] = site
        head.headerFields[.authorization] = authorization
        return head
    }

    @Test(arguments: ["localhost", "127.0.0.1:8080", "[::1]:1", "LocalHost:9999"])
    func `loopback names come in, through a tunnel too`(host: String) throws {
        try gate().checkHost(head(host))
    }

    @Test(arguments: ["evil.example", "localhost.evil.example", "192.168.1.9", "0.0.0.0"])
    func `a foreign name is refused, whatever it resolves to`(host: String) throws {
        let gate = try gate()
        let problem = #expect(throws: Problem.self) { try gate.checkHost(head(host)) }
        #expect(problem?.status.code == 421)
    }

    @Test(arguments: [nil, "", "a b"] as [String?])
    func `a request without a valid host is malformed`(host: String?) throws {
        let gate = try gate()
        let problem = #expect(throws: Problem.self) { try gate.checkHost(head(host)) }
        #expect(problem?.status.code == 400)
    }

    @Test func `a server on all addresses takes any address and its given names`() throws {
        let gate = try gate(host: "0.0.0.0", token: "0123456789abcdef", names: ["Box.lan"])
        for host in ["192.168.1.9:8080", "box.lan", "localhost", "[fe80::1]:8080"] { try gate.checkHost(head(host)) }
        #expect(throws: Problem.self) { try gate.checkHost(head("other.lan")) }
    }

    @Test(
        arguments: [
            (nil, nil), ("http://127.0.0.1:8080", nil), ("http://127.0.0.1:8080", "same-origin"), (nil, "same-origin"),
            (nil, "none"),
        ] as [(String?, String?)])
    func `the own page and programs may change things`(origin: String?, site: String?) throws {
        try gate().checkOrigin(head("127.0.0.1:8080", origin: origin, site: site))
    }

    @Test(
        arguments: [
            ("http://evil.example", nil), ("null", nil), ("http://127.0.0.1:9090", nil), ("http://127.0.0.1", nil),
            (nil, "cross-site"), (nil, "same-site"), ("", nil), ("http://127.0.0.1:8080.evil.example", nil),
        ] as [(String?, String?)])
    func `another site's page may not`(origin: String?, site: String?) throws {
        let gate = try gate()
        let problem = #expect(throws: Problem.self) {
            try gate.checkOrigin(head("127.0.0.1:8080", origin: origin, site: site))
        }
        #expect(problem?.status.code == 403)
    }

    @Test func `a proxy may lose the port, but not to another site or on this machine`() throws {
        let gate = try gate(names: ["box.lan"])
        try gate.checkOrigin(head("box.lan", origin: "https://box.lan:8443"))
        try gate.checkOrigin(head("box.lan", origin: "https://box.lan:8443", site: "same-origin"))
        for (host, origin, site) in [
            ("box.lan", "https://box.lan:8443", "same-site"), ("box.lan:443", "https://box.lan:8443", nil),
            ("box.lan", "https://other.lan:8443", nil), ("localhost", "http://localhost:3000", nil),
        ] as [(String, String, String?)] {
            #expect(throws: Problem.self, "\(origin)") { try gate.checkOrigin(head(host, origin: origin, site: site)) }
        }
    }

    @Test func `a foreign name is told the setting that takes it`() throws {
        let gate = try gate()
        do throws(Problem) {
            try gate.checkHost(head("box.lan"))
            Issue.record("a foreign name was taken")
        } catch {
            #expect(error.status == .misdirectedRequest && error.detail.contains("HTTP_ALLOWED_HOSTS"))
        }
    }

    @Test func `the usual ports may be left out`() throws {
        try gate(names: ["box.lan"]).checkOrigin(head("box.lan:80", origin: "http://box.lan"))
        try gate(names: ["box.lan"]).checkOrigin(head("box.lan:443", origin: "https://box.lan"))
    }

    @Test func `the token is compared as a whole`() throws {
        let gate = try gate(token: "0123456789abcdef")
        #expect(gate.isAuthorized(head(nil, authorization: "Bearer 0123456789abcdef")))
        #expect(gate.isAuthorized(head(nil, authorization: "bearer 0123456789abcdef")))
        for wrong in [
            nil, "", "Bearer", "Bearer ", "0123456789abcdef", "Basic 0123456789abcdef", "Bearer 0123456789abcde",
            "Bearer 0123456789abcdeg", "Bearer 0123456789abcdef0123456789abcdef",
        ] {
            #expect(!gate.isAuthorized(head(nil, authorization: wrong)), "\(wrong ?? "none")")
        }
    }

    @Test func `without a token set everybody on loopback is let in`() throws {
        #expect(try gate().isAuthorized(head(nil)))
    }
}

@Suite(.timeLimit(.minutes(2))) struct WebConfigurationTests {
    @Test func `a host that others reach needs a token`() throws {
        for host in ["0.0.0.0", "::", "192.168.1.2", "box.lan"] {
            let error = #expect(throws: WebError.self) { try WebConfiguration(host: host) }
            #expect(error?.description.contains("HTTP_TOKEN") == true)
            _ = try WebConfiguration(host: host, token: Secret("0123456789abcdef"))
        }
        for host in ["127.0.0.1", "localhost", "::1"] { _ = try WebConfiguration(host: host) }
    }

    @Test(arguments: ["", "short", "0123456789 abcdef", "0123456789abcdé"])
    func `a token that is weak or no header carries is refused and not shown`(token: String) {
        let error = #expect(throws: WebError.self) { try WebConfiguration(token: Secret(token)) }
        #expect(error?.reason == .configuration)
        if !token.isEmpty { #expect(error?.description.contains(token) == false) }
    }

    @Test(arguments: [-1, 65536])
    func `a port out of range is refused`(port: Int) {
        #expect(throws: WebError.self) { try WebConfiguration(port: port) }
    }

    @Test(arguments: ["", "a b", "http://x"])
    func `what is no host is refused`(host: String) {
        #expect(throws: WebError.self) { try WebConfiguration(host: host, token: Secret("0123456789abcdef")) }
    }
}
