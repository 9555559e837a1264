import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct DisplayTextTests {
    @Test func `what moves a terminal or forges a line is written out`() {
        let shown = DisplayText.escaped("a\nb\r\u{1B}[31mc\u{202E}d\u{7F}é€👍")
        #expect(shown == #"a\nb\r\u{1b}[31mc\u{202e}d\u{7f}é€👍"#)
    }

    @Test func `length is capped`() {
        #expect(DisplayText.escaped(String(repeating: "x", count: 500), limit: 10) == "xxxxxxxxxx…")
    }

    @Test(arguments: ["bad key K-1234567 given", "K-1234567", "K-1234567K-1234567", "cut short: K-1234", "x K-12345"])
    func `a secret that the text repeats, whole or cut at the end, is masked`(text: String) {
        let shown = DisplayText.escaped(text, hiding: Secret("K-1234567"))
        #expect(!shown.contains("K-1"))
    }

    @Test func `text without the secret stays as it is`() {
        #expect(DisplayText.escaped("no key here", hiding: Secret("K-1234567")) == "no key here")
        #expect(DisplayText.escaped("anything", hiding: Secret("")) == "anything")
    }

    @Test func `line and paragraph separators and what no version of Unicode knows are written out`() {
        #expect(DisplayText.escaped("a\u{2028}b\u{2029}c\u{378}") == #"a\u{2028}b\u{2029}c\u{378}"#)
    }

    @Test func `one event of a stream is counted in the singular`() {
        #expect(EventStream.allCases.allSatisfy { !$0.counted(1).hasSuffix("s") && $0.counted(2).hasSuffix("s") })
        #expect(EventStream.bars.counted(1) == "1 bar" && EventStream.fairValues.counted(1024) == "1,024 fair values")
    }

    @Test func `somebody else's text is quoted and cut`() {
        #expect(DisplayText.quoted("a\tb") == #""a\tb""#)
        #expect(DisplayText.quoted("abcdef", limit: 3) == #""abc…""#)
    }
}

@Suite(.timeLimit(.minutes(1))) struct EscapedTextTests {
    @Test(arguments: ["'\u{301}", "\u{D4E}'", "a'b", "''", ""])
    func `every quote is escaped, also within a larger character`(text: String) {
        let escaped = Array(text.escaping("'", with: "'").utf8)
        #expect(escaped.count { $0 == 0x27 } == 2 * text.utf8.count { $0 == 0x27 })
        #expect(escaped.filter { $0 != 0x27 } == text.utf8.filter { $0 != 0x27 })
    }
}
