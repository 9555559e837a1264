import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct SymbolTests {
    static let samples = [
        "A", "SPY", "BRK.B", "BACpL", "EIGHT888", "NINE99999", "FIFTEEN15151515", "SIXTEEN161616161", "!", "~", "A/B",
    ]

    @Test(arguments: samples)
    func `a symbol comes out as the text it was made of`(text: String) throws {
        let symbol = try #require(Symbol(text))
        #expect(symbol.description == text)
        #expect(symbol.count == text.utf8.count)
        #expect(symbol.withUTF8 { Array($0) } == Array(text.utf8))
    }

    @Test(arguments: [
        "", "SEVENTEEN17171717", "A B", "A,B", "*", "A\"", "A\\", "É", "A\u{7F}", "A\u{0}", "\u{1F}", "A\n",
    ])
    func `a text outside the feed's grammar is no symbol`(text: String) {
        #expect(Symbol(text) == nil)
    }

    @Test func `the bytes allowed are the same at every place, byte by byte and from words`() {
        for byte in UInt8.min...UInt8.max {
            let excluded: [UInt8] = Array(",*\"\\".utf8)
            let isAllowed = byte > 0x20 && byte < 0x7F && !excluded.contains(byte)
            for place in 0..<16 {
                var bytes = [UInt8](repeating: UInt8(ascii: "A"), count: 16)
                bytes[place] = byte
                for count in [place + 1, 16] {
                    let plain = bytes.withUnsafeBytes { Symbol(utf8: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
                    let fromWords = SymbolTests.fromWords(bytes, count: count)
                    #expect((plain != nil) == isAllowed)
                    #expect(fromWords == plain)
                }
                // A byte after the symbol's end does not matter.
                if place > 0 { #expect(SymbolTests.fromWords(bytes, count: place) != nil) }
            }
        }
    }

    @Test func `two words hold at most sixteen bytes`() {
        let bytes = [UInt8](repeating: UInt8(ascii: "A"), count: 16)
        for count in [-1, 0, 17, 64, Int.max, Int.min] { #expect(SymbolTests.fromWords(bytes, count: count) == nil) }
        #expect(SymbolTests.fromWords(bytes, count: 16)?.count == 16)
    }

    static func fromWords(_ bytes: [UInt8], count: Int) -> Symbol? {
        bytes.withUnsafeBytes {
            Symbol(
                littleEndian: UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)),
                UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)), count: count)
        }
    }

    @Test func `symbols are ordered byte by byte`() throws {
        let texts = ["ABCDEFGHJ", "ABCDEFGHI", "ABCDEFGH", "a", "B", "AA", "A", "A.B", "A/B", "~", "Z9", "Z"]
        let symbols = try texts.map { try #require(Symbol($0)) }.sorted()
        let expected = texts.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        #expect(symbols.map(\.description) == expected)
    }

    @Test func `equal symbols have equal hashes and a prefix is another symbol`() {
        #expect(Symbol("SPY") == Symbol("SPY"))
        #expect(Set(SymbolTests.samples.compactMap { Symbol($0) }).count == SymbolTests.samples.count)
        #expect(Symbol("EIGHT888") != Symbol("EIGHT8888"))
        #expect(Symbol("A") != Symbol("AA"))
    }

    @Test func `a part of a text makes a symbol too`() {
        #expect(Symbol("AM.SPY".dropFirst(3)) == Symbol("SPY"))
    }
}
