import MarketData
import Testing

@testable import edgetick

@Suite(.timeLimit(.minutes(1))) struct ProxySettingsTests {
    @Test(arguments: [
        ("http://proxy.example:3128", "proxy.example:3128", nil), ("proxy.example:3128", "proxy.example:3128", nil),
        ("http://proxy.example/", "proxy.example:80", nil), ("http://[::1]:3128", "[::1]:3128", nil),
        ("http://me:p%40ss@proxy.example:3128", "proxy.example:3128", "me:p@ss"),
        ("http://me@proxy.example:3128", "proxy.example:3128", "me:"),
    ])
    func `a proxy's address is read`(text: String, place: String, credentials: String?) throws {
        let proxy = try #require(HTTPProxy(text))
        #expect(proxy.description == place)
        #expect(proxy.credentials?.reveal() == credentials)
    }

    @Test(arguments: ["socks5://p:1080", "https://p:443", "http://", "http://p:0", "http://p:x", "http://p/a", "a b"])
    func `what can't be used is refused`(text: String) {
        #expect(HTTPProxy(text) == nil)
        #expect(faults(["HTTPS_PROXY": text]).map(\.key) == ["HTTPS_PROXY"])
    }

    @Test(arguments: [
        ("wss://feed.example.com/x", "", true), ("https://api.example.com", "", true),
        ("wss://127.0.0.1:1/x", "", false), ("wss://localhost/x", "", false), ("wss://[::1]/x", "", false),
        ("wss://feed.example.com/x", "*", false), ("wss://feed.example.com/x", "example.com", false),
        ("wss://feed.example.com/x", ".example.com", false), ("wss://feed.example.com/x", "*.example.com", false),
        ("wss://Feed.Example.com/x", "a.b, FEED.example.COM", false),
        ("wss://feed.badexample.com/x", "example.com", true),
        ("ws://feed.example.com/x", "", false),
    ])
    func `the proxy is used for other machines, but for those named`(url: String, none: String, isProxied: Bool) throws
    {
        let feed = try validate(["HTTPS_PROXY": "http://p:1", "NO_PROXY": none]).settings.feed
        #expect((feed.proxy(for: url) != nil) == isProxied)
    }

    @Test func `ALL_PROXY counts where HTTPS_PROXY is not set, and small letters are as good`() throws {
        let both = try validate(["https_proxy": "http://p:1", "all_proxy": "http://q:2"]).settings.feed
        #expect(both.proxy(for: "wss://f.example")?.port == 1 && both.proxy(for: "ws://f.example")?.port == 2)
        let general = try validate(["ALL_PROXY": "http://q:2"]).settings.feed
        #expect(general.proxy(for: "https://f.example")?.port == 2)
    }

    @Test func `a proxy's address with its password may come from a file`() throws {
        let snapshot = SettingsSnapshot(
            environment: ["HTTPS_PROXY_FILE": "/run/secrets/proxy"], file: nil,
            reading: { _ in .text("http://me:hunter2@p:1\n") })
        let feed = try Settings.validate(snapshot, host: sampleHost).settings.feed
        #expect(feed.proxy(for: "wss://f.example")?.credentials?.reveal() == "me:hunter2")
        #expect(snapshot.secretPlaces == ["/run/secrets/proxy"])
    }

    @Test func `config shows the proxy without its login`() throws {
        let snapshot = SettingsSnapshot(environment: ["HTTPS_PROXY": "http://me:hunter2@p:1"], file: nil)
        let row = SettingsReport(snapshot, host: sampleHost).rows.first { $0.key == "HTTPS_PROXY" }
        #expect(row?.value == "http://\(Masking.mask)@p:1")
    }
}
