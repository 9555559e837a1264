import Foundation
import MarketData
import TestSupport
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct TextDecodingTests {
    static func tradeID(_ json: [UInt8]) -> (text: String?, decoded: Decoded) {
        let frame = Array(#"[{"ev":"T","sym":"S","p":1,"s":1,"t":1,"i":""#.utf8) + json + Array("\"}]".utf8)
        let decoded = Decoded(frame)
        return (decoded.batch.trades.first?.tradeID.map { decoded.batch.text[$0] }, decoded)
    }

    @Test(arguments: [
        (#"\" \\ \/"#, "\" \\ /"), (#"\b\f\n\r\t"#, "\u{8}\u{C}\n\r\t"), (#"\u0041\u00e9\u20AC"#, "Aé€"),
        (#"\ud83d\uDE00"#, "😀"), (#"é€😀"#, "é€😀"), (#"\u0001"#, "\u{1}"), (#"\uFFFD\uffff"#, "\u{FFFD}\u{FFFF}"),
        (#"plain"#, "plain"), (#"a longer text without anything special in it"#, nil), (#""#, ""),
        (#"a longer text with \u0061n escape"#, "a longer text with an escape"), ("\u{7F}\u{80}", "\u{7F}\u{80}"),
    ])
    func `a kept text loses its escapes and nothing else`(json: String, text: String?) throws {
        let result = TextDecodingTests.tradeID(Array(json.utf8))
        #expect(result.decoded.rejects.samples == [])
        #expect(result.text == text ?? json)
        let foundation = try JSONDecoder().decode([String].self, from: Data("[\"\(json)\"]".utf8))
        #expect([result.text] == foundation)
    }

    @Test(arguments: [#"\u0000"#, #"12345\u0000\u0000"#, #"a\u0000b"#])
    func `a text with a NUL, which no database takes, costs the field and not the trade`(json: String) {
        let result = TextDecodingTests.tradeID(Array(json.utf8))
        #expect(result.text == nil)
        #expect(result.decoded.batch.trades.count == 1)
        #expect(result.decoded.leftOut(of: .trade).map { $0 == (.badText, "i") } == true)
    }

    @Test(arguments: [
        #"\ud83d"#, #"\ud83dx"#, #"\ud83d\n"#, #"\ud83d\u0041"#, #"\ude00"#, #"\ud83d\ud83d"#, #"\udc00\ud800"#,
    ])
    func `half a surrogate pair is no text`(json: String) {
        let result = TextDecodingTests.tradeID(Array(json.utf8))
        #expect(result.text == nil)
        #expect(result.decoded.batch.trades.count == 1)
        #expect(result.decoded.leftOut(of: .trade).map { $0 == (.badText, "i") } == true)
    }

    @Test(arguments: [
        [0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x9F, 0xBF], [0xE2, 0x82], [0xED, 0xA0, 0x80],
        [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xFE],
        [0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x80], [0xF0, 0x9F, 0x98],
    ])
    func `bytes that are not UTF-8 are no text`(bytes: [UInt8]) {
        for json in [bytes, bytes + Array(#"\n"#.utf8), Array(#"\n"#.utf8) + bytes] {
            let result = TextDecodingTests.tradeID(json)
            #expect(result.text == nil)
            #expect(result.decoded.leftOut(of: .trade).map { $0 == (.badText, "i") } == true)
        }
    }

    @Test func `every two-byte and many longer sequences are judged as Swift judges them`() {
        var random = SeededRandom(seed: 7)
        for first in UInt8(0x80)...0xFF {
            for second in UInt8(0)...0xFF {
                var bytes = [first, second]
                for _ in 0..<Int.random(in: 0...2, using: &random) {
                    bytes.append(UInt8.random(in: 0x70...0xC5, using: &random))
                }
                let expected = String(validating: bytes, as: UTF8.self) != nil
                #expect(bytes.withUnsafeBytes { UTF8Check.isValid($0) } == expected, "\(bytes)")
            }
        }
    }

    @Test(arguments: [#"\x"#, #"\u12"#, #"\u12G4"#, #"\U0041"#, "\\", "tab\there", "line\nbreak", "\u{0}", "\u{1F}"])
    func `what JSON does not take as a string is malformed`(json: String) {
        let result = TextDecodingTests.tradeID(Array(json.utf8))
        #expect(result.text == nil)
        #expect(result.decoded.rejects.total > 0)
        #expect(result.decoded.rejects[.malformedJSON] + result.decoded.rejects[.unterminated] > 0)
        for shape in ["\"new\":\"\(json)\"", "\"\(json)\":1", "\"new\":[{\"a\":\"\(json)\"}]"] {
            let decoded = Decoded("[{\"ev\":\"T\",\"sym\":\"S\",\"p\":1,\"s\":1,\"t\":1,\(shape)}]")
            #expect(decoded.events == [])
        }
    }

    @Test(arguments: [
        "A", "BRK.B", "BACpL", "EIGHT888", "NINE99999", "FIFTEEN15151515", "SIXTEEN161616161", "ABC/WS", "X-1",
        "!#$%&'()+",
    ])
    func `symbols of every length come out as sent`(symbol: String) throws {
        let event =
            "{\"ev\":\"AM\",\"sym\":\"\(symbol)\",\"v\":1,\"o\":1,\"c\":1,\"h\":1,\"l\":1,\"s\":1000,\"e\":2000}"
        #expect(try Decoded.event(event).bar().symbol.description == symbol)
        let escaped = symbol.unicodeScalars.map { "\\u00" + String($0.value, radix: 16) }.joined()
        #expect(
            try Decoded.event(event.replacingOccurrences(of: symbol + "\"", with: escaped + "\"")).bar().symbol
                == Symbol(symbol))
    }

    @Test(arguments: [
        "", "SEVENTEEN17171717", "A,B", "*", "A B", "É", "A\\u0000", "A\\\"", "A\\\\", "A\\u007f", "TAB\\t",
        "EIGHT888É", "AVERYVERYVERYVERYLONGSYMBOL", "\\ud800", "A\u{7F}", "NINE9999*",
    ])
    func `a symbol outside the feed's grammar rejects the event`(symbol: String) {
        let decoded = Decoded.event(
            "{\"ev\":\"AM\",\"sym\":\"\(symbol)\",\"v\":1,\"o\":1,\"c\":1,\"h\":1,\"l\":1,\"s\":1000,\"e\":2000}")
        #expect(decoded.events == [])
        #expect(decoded.reasons == [.badSymbol: 1])
    }

    @Test func `names may be written with escapes`() throws {
        let bar = try Decoded.event(
            #"{"\u0065v":"\u0041M","s\u0079m":"SPY","\u0076":1,"\u006f":1,"c":1,"h":1,"l":1,"s":1000,"\u0064\u0076":"2.5"}"#
        ).bar()
        #expect(bar.volume == 2.5)
        #expect(bar.interval == .minute)
    }
}
