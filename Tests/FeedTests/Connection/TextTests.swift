import MarketData
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct DisplayTextTests {
    @Test func `a TLS error shows no path of the machine that built the program`() {
        let raw = """
            handshakeFailed(NIOSSL.BoringSSLError.sslError([Error: 268435703 error:100000f7:SSL routines:OPENSSL_internal:\
            WRONG_VERSION_NUMBER at /home/build/.build/checkouts/swift-nio-ssl/Sources/CNIOBoringSSL/ssl/tls_record.cc:127]))
            """
        let shown = DisplayText.withoutSourcePlaces(raw)
        #expect(shown.hasSuffix("OPENSSL_internal:WRONG_VERSION_NUMBER]))"))
        #expect(DisplayText.withoutSourcePlaces("two at /a/b.cc:1, one at /c d.cc:2; end") == "two, one; end")
        #expect(DisplayText.withoutSourcePlaces("looked at nothing") == "looked at nothing")
    }

    @Test func `long lists of names show a few and the count`() {
        #expect(DisplayText.list(["a", "b"]) == "a, b")
        #expect(DisplayText.list((1...7).map(String.init)) == "1, 2, 3, 4, 5 and 2 more")
    }
}

@Suite(.timeLimit(.minutes(3))) struct FeedRequestTests {
    @Test func `the login holds the key as JSON text`() {
        #expect(FeedRequest.login(Secret("k")) == #"{"action":"auth","params":"k"}"#)
        #expect(FeedRequest.login(Secret("a\"b\\c\n")) == #"{"action":"auth","params":"a\"b\\c\n"}"#)
    }

    @Test func `a long list goes in several messages, each below the limit, none twice`() {
        let symbols = (0..<3000).compactMap { Symbol("SYM\($0)") }
        let channels = FeedChannel.channels(of: .symbols(symbols), events: [.minuteBar, .trade])
        let messages = FeedRequest.messages(.subscribe, channels, maximumBytes: 16_000)
        #expect(messages.allSatisfy { $0.utf8.count <= 16_000 })
        #expect(messages.count == (channels.map { $0.description.utf8.count + 1 }.reduce(0, +) / 15_960) + 1)
        let names = messages.flatMap { message in
            message.dropFirst(#"{"action":"subscribe","params":""#.count).dropLast(2).split(separator: ",").map(
                String.init)
        }
        #expect(names == channels.map(\.description))
    }

    @Test func `an interest's channels are in the order of its symbols and kinds`() {
        #expect(FeedChannel.channels(of: .all, events: [.quote, .minuteBar]).map(\.description) == ["AM.*", "Q.*"])
        let twice = [Symbol("B")!, Symbol("A")!, Symbol("B")!]
        #expect(FeedChannel.channels(of: .symbols(twice), events: [.trade]).map(\.description) == ["T.B", "T.A"])
    }
}
