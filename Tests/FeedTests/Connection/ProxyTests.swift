import Feed
import Foundation
import MarketData
import TestSupport
import Testing

/// The feed behind an HTTP proxy.
@Suite(.blocking, .timeLimit(.minutes(3))) struct ProxyTests {
    /// Connects through a proxy, waits for an event or an error, and returns the error.
    private func connect(
        over proxy: ConnectProxy, login: String = "", to feed: ScriptedFeed, scheme: String = "ws",
        caFile: String? = nil
    ) async throws -> FeedError? {
        let rig = Rig()
        var configuration = try Rig.configuration(port: feed.port, host: "localhost", scheme: scheme)
        configuration.caFile = caFile
        configuration.proxy = HTTPProxy("http://\(login)127.0.0.1:\(proxy.port)")
        nonisolated(unsafe) var result: FeedError?
        try await rig.run(configuration) { connection in
            try await Waiting.until("an outcome") { connection.snapshot.lastError != nil || rig.sink.prices == [1] }
            result = connection.snapshot.lastError
        }
        return result
    }

    private func feed(_ certificates: FeedCertificates? = nil) async throws -> ScriptedFeed {
        try await ScriptedFeed.start(tls: try certificates?.context("good")) { peer in
            try await peer.stand()
            peer.trade(1)
            await peer.untilClosed()
        }
    }

    @Test func `the proxy is asked for a way to the feed, and TLS goes through it to the feed`() async throws {
        let certificates = try FeedCertificates()
        let feed = try await feed(certificates)
        let proxy = try ConnectProxy()
        let error = try await connect(over: proxy, to: feed, scheme: "wss", caFile: certificates.authority)
        #expect(error == nil)
        #expect(proxy.heads.first?.hasPrefix("CONNECT localhost:\(feed.port) HTTP/1.1\r\n") == true)
        #expect(proxy.heads.first?.contains("Authorization") == false)
        await feed.stop()
    }

    @Test func `user and password are sent to a proxy that asks for them`() async throws {
        let feed = try await feed()
        let proxy = try ConnectProxy(credentials: "bWU6cEBzcw==")
        #expect(try await connect(over: proxy, login: "me:p%40ss@", to: feed) == nil)
        let refused = try await connect(over: proxy, to: feed)
        #expect(refused?.reason == .unreachable)
        #expect(refused?.message.contains("asks for a user name and a password") == true)
        let wrong = try await connect(over: proxy, login: "me:wr0ng@", to: feed)
        #expect(wrong?.message.contains("does not accept the user name and password") == true)
        #expect(wrong?.message.contains("wr0ng") == false)
        await feed.stop()
    }

    @Test(arguments: ["HTTP/1.1 403 Forbidden\r\n\r\n", "SSH-2.0-x\r\n\r\n", ""])
    func `a proxy that opens no way is named`(answer: String) async throws {
        let feed = try await feed()
        let proxy = try ConnectProxy(answer: answer)
        let error = try await connect(over: proxy, to: feed)
        #expect(error?.reason == .unreachable)
        #expect(
            error?.message.contains("the proxy 127.0.0.1:\(proxy.port) can't be used") == true,
            "\(String(describing: error))")
        await feed.stop()
    }

    @Test func `a proxy that does not respond is named`() async throws {
        let silent = try LoopbackListener()
        silent.accept { client in
            Thread.detachNewThread {
                var bytes = [UInt8](repeating: 0, count: 1024)
                while read(client, &bytes, bytes.count) > 0 {}
                close(client)
            }
        }
        var configuration = try Rig.configuration(port: 9, host: "localhost", scheme: "ws")
        configuration.proxy = HTTPProxy("http://127.0.0.1:\(silent.port)")
        configuration.connectTimeout = .milliseconds(300)
        let place = "through the proxy 127.0.0.1:\(silent.port) within"
        try await Rig().run(configuration) { connection in
            try await Waiting.until("an outcome") { connection.snapshot.lastError != nil }
            let error = connection.snapshot.lastError
            #expect(error?.reason == .connectTimeout && error?.message.contains(place) == true)
        }
    }

    @Test func `a proxy that isn't there is named, and not the feed`() async throws {
        let feed = try await feed()
        let proxy = try ConnectProxy()
        proxy.stop()
        let error = try await connect(over: proxy, to: feed)
        #expect(error?.message.contains("the proxy 127.0.0.1:\(proxy.port) cannot be reached") == true)
        await feed.stop()
    }
}
