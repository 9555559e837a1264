import MarketData
import Testing

@Suite(.timeLimit(.minutes(2))) struct HostNameTests {
    @Test(
        arguments: [
            ("localhost:8080", "localhost", 8080), ("LOCALHOST.", "localhost", nil), ("127.0.0.1", "127.0.0.1", nil),
            ("[::1]:8080", "::1", 8080), ("::1", "::1", nil), ("box-1.lan:80", "box-1.lan", 80),
        ] as [(String, String, Int?)])
    func `a host is read with and without port`(text: String, name: String, port: Int?) throws {
        let host = try #require(HostName(text))
        #expect(host.name == name)
        #expect(host.port == port)
    }

    @Test(arguments: ["", ":80", "a b", "a:b", "a:99999", "a:+1", "[::1", "[name]", "a/b", "user@host", "."])
    func `what is no host is refused`(text: String) {
        #expect(HostName(text) == nil)
    }

    @Test(
        arguments: [
            ("localhost", 8080, "localhost:8080"), ("10.0.0.1", nil, "10.0.0.1"), ("::1", 80, "[::1]:80"),
            ("fe80::1", nil, "[fe80::1]"),
        ] as [(String, Int?, String)])
    func `a host is written as a URL has it`(host: String, port: Int?, text: String) {
        #expect(HostName.authority(host, port: port) == text)
    }

    @Test(arguments: [
        "localhost", "LocalHost", "127.0.0.1", "127.8.9.1", "::1", "[::1]", "::ffff:127.0.0.1", "::FFFF:127.8.9.1",
    ])
    func `this machine's own names and addresses are loopback`(host: String) {
        #expect(HostName.isLoopback(host))
    }

    @Test(arguments: [
        "", "0.0.0.0", "::", "10.0.0.1", "192.168.1.2", "::ffff:10.0.0.1", "::2", "127.evil.com", "localhost.evil.com",
        "127.0.0.1.example.com", "127.0.0", "127.0.0.256", "127.0.0.01", "127.-0.0.1", "localhost:80", "127.0.0.1:80",
        "localhost.",
    ])
    func `everything else is not loopback`(host: String) {
        #expect(!HostName.isLoopback(host))
    }

    @Test func `addresses are told from names`() throws {
        for text in ["10.0.0.1", "::1", "[fe80::1%eth0]"] { #expect(try #require(HostName(text)).isAddress) }
        for text in ["10.0.0", "10.0.0.256", "1.2.3.4.evil.com", "ten"] {
            #expect(try !#require(HostName(text)).isAddress)
        }
    }
}
