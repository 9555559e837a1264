import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(1))) struct RemarkLogTests {
    private func occurred(_ log: inout RemarkLog, _ now: Duration) -> Int? { log.occurred(now: now) }

    @Test func `a few remarks are logged at once, the rest every 30 s as a count`() {
        var log = RemarkLog()
        let first = (0..<10_000).map { occurred(&log, .milliseconds($0)) }
        #expect(first.prefix(RemarkLog.most).allSatisfy { $0 == 0 })
        #expect(first.dropFirst(RemarkLog.most).allSatisfy { $0 == nil })
        #expect(occurred(&log, .seconds(30)) == 10_000 - RemarkLog.most)
        #expect(occurred(&log, .seconds(31)) == 0)
    }

    @Test func `a remark now and then is always logged`() {
        var log = RemarkLog()
        #expect((0..<100).allSatisfy { occurred(&log, .seconds($0 * 10)) == 0 })
    }

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
}
