import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct EndpointTests {
    private func failure(_ url: String, allowsPlaintext: Bool = false) -> FeedError? {
        do throws(FeedError) {
            _ = try FeedEndpoint(url: url, allowsPlaintext: allowsPlaintext)
            return nil
        } catch {
            return error
        }
    }

    @Test func `the parts of a URL are read, with the scheme's port when none is named`() throws {
        let usual = try FeedEndpoint(url: "wss://socket.massive.com/stocks", allowsPlaintext: false)
        #expect(usual.host == "socket.massive.com" && usual.port == 443 && usual.usesTLS)
        #expect(usual.requestTarget == "/stocks" && usual.hostHeader == "socket.massive.com")
        let six = try FeedEndpoint(url: "WS://[::1]:8080?token=x", allowsPlaintext: false)
        #expect(six.host == "::1" && six.port == 8080 && !six.usesTLS)
        #expect(six.requestTarget == "/?token=x" && six.hostHeader == "[::1]:8080" && six.hostIsAddress)
        #expect(try FeedEndpoint(url: "ws://localhost", allowsPlaintext: false).port == 80)
    }

    @Test(arguments: ["ws://localhost:1/", "ws://LOCALHOST/", "ws://127.0.0.1/", "ws://127.9.9.9/", "ws://[::1]/"])
    func `plaintext is taken to this machine`(url: String) {
        #expect(failure(url) == nil)
    }

    @Test(arguments: [
        "ws://example.com/", "ws://10.0.0.1/", "ws://128.0.0.1/", "ws://localhost.example.com/", "ws://[::2]/",
        "ws://[2001:db8::1]/", "ws://127.0.0.1.example.com/", "ws://0.0.0.0/",
    ])
    func `plaintext to elsewhere is refused unless allowed`(url: String) {
        #expect(failure(url)?.reason == .plaintextRefused)
        #expect(failure(url)?.isRetryable == false)
        #expect(failure(url, allowsPlaintext: true) == nil)
    }

    @Test(arguments: [
        "", "socket.massive.com", "https://a/", "wss://", "wss:///path", "wss://a:0/", "wss://a:65536/", "wss://a:+1/",
        "wss://a:x/", "wss://a b/", "wss://a/#x", "wss://a/ b", "wss://[::1", "wss://[1.2.3.4]/", "wss://[zz]/",
        "wss://user@a/", "wss://ä/", "wss://a:/",
    ])
    func `what is no feed URL is refused`(url: String) {
        #expect(failure(url)?.reason == .invalidConfiguration)
    }

    @Test func `no error and no description shows a password or a query`() throws {
        #expect(failure("wss://user:\(canary)@host/")?.description.contains(canary) == false)
        #expect(failure("wss://host:\(canary)/")?.description.contains(canary) == false)
        let endpoint = try FeedEndpoint(url: "wss://host/path?token=\(canary)", allowsPlaintext: false)
        #expect("\(endpoint)" == "wss://host/path")
        var dumped = ""
        dump(endpoint, to: &dumped)
        #expect(!dumped.contains(canary) && !"\(String(reflecting: endpoint))".contains(canary))
    }
}
