import Foundation
import MarketData
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct JSONStringTests {
    @Test func `every scalar is read back as it was written`() throws {
        let samples = (0...0x2FFF).map { UInt32($0) } + stride(from: 0x3000, through: 0x10FFFF, by: 61)
        let text = String(String.UnicodeScalarView(samples.compactMap(Unicode.Scalar.init)))
        let written = JSONString.quoted(text)
        let read = try JSONDecoder().decode(String.self, from: Data(written.utf8))
        #expect(Array(read.unicodeScalars) == Array(text.unicodeScalars))
        #expect(JSONValue(parsing: written) == .string(text))
    }

    @Test(arguments: [
        ("plain", #""plain""#), ("", #""""#), ("a\"b\\", #""a\"b\\""#), ("\n\r\t", #""\n\r\t""#),
        ("\u{1}\u{7F}", #""\u0001\u007f""#), ("\u{202E}x\u{2028}", #""\u202ex\u2028""#), ("é€", #""é€""#),
        ("\u{E0001}", #""\udb40\udc01""#),
    ])
    func `what steers a terminal or hides text is escaped and all else stays readable`(text: String, json: String) {
        #expect(JSONString.quoted(text) == json)
    }
}

@Suite(.timeLimit(.minutes(2))) struct JSONValueTests {
    @Test func `documents are equal whatever their blanks, order of keys and form of numbers`() {
        let one = JSONValue(parsing: #" { "b" : [1, 2.50, -3e2, true, null], "a": "x\u0041\/\ud83d\ude00" } "#)
        let two = JSONValue(parsing: #"{"a":"xA/😀","b":[1.0,25e-1,-300,true,null]}"#)
        #expect(one != nil)
        #expect(one == two)
        #expect(one?.text == #"{"a":"xA/😀","b":[1,2.5,-300,true,null]}"#)
        #expect(JSONValue(parsing: "1") != JSONValue(parsing: "true"))
    }

    @Test(arguments: [
        "", " ", "nul", "tru e", "01", "-", "1.", ".5", "1e", "+1", "1e999", "0x10", "NaN", "[1,]", "[1 2]", "[",
        "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "\"a", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800x\"",
        "\"\\udc00\"", "\"a\nb\"", "1 2", "[1]]", "'a'",
    ])
    func `what RFC 8259 does not know is no document`(text: String) {
        #expect(JSONValue(parsing: text) == nil)
    }

    @Test func `of a key that comes twice the last value counts`() {
        #expect(JSONValue(parsing: #"{"a":1,"a":2}"#) == .object(["a": .number(2)]))
    }

    @Test func `a document is read to its bounded depth`() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(JSONValue(parsing: nested(JSONValue.maximumDepth)) != nil)
        #expect(JSONValue(parsing: nested(JSONValue.maximumDepth + 1)) == nil)
        #expect(JSONValue(parsing: nested(1_000_000)) == nil)
    }

    @Test(arguments: 0..<50) func `a random document is read back as it was written, by others too`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let document = JSONValue.array([Self.document(&random, depth: 0)])
        #expect(JSONValue(parsing: document.text) == document)
        let theirs = try JSONSerialization.jsonObject(with: Data(document.text.utf8))
        let again = try JSONSerialization.data(withJSONObject: theirs)
        #expect(JSONValue(parsing: String(decoding: again, as: UTF8.self)) == document)
    }

    private static func document(_ random: inout SeededRandom, depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth < 4 ? 7 : 5), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .number(Double(Int.random(in: -1_000_000...1_000_000, using: &random)))
        case 3: return .number(Double(Int.random(in: -1_000_000...1_000_000, using: &random)) / 64)
        case 4: return .string(text(&random))
        case 5:
            return .array((0..<Int.random(in: 0..<5, using: &random)).map { _ in document(&random, depth: depth + 1) })
        default:
            var members: [String: JSONValue] = [:]
            for _ in 0..<Int.random(in: 0..<5, using: &random) {
                members[text(&random)] = document(&random, depth: depth + 1)
            }
            return .object(members)
        }
    }

    private static func text(_ random: inout SeededRandom) -> String {
        let alphabet: [Character] = ["a", "\"", "\\", "/", "\n", "\u{1}", "é", "€", "😀", "\u{202E}", " "]
        return String((0..<Int.random(in: 0..<12, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
    }
}
