import MarketData
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5))) struct DecimalTextTests {
    #if DEBUG
        static let rounds = 100_000
    #else
        static let rounds = 2_000_000
    #endif

    @Test(
        arguments: [
            (0, "0"), (1, "1"), (-1, "-1"), (10, "10"), (100, "100"), (0.1, "0.1"), (0.4372, "0.4372"),
            (167.42, "167.42"),
            (-167.42, "-167.42"), (0.0001, "0.0001"), (0.00001, "0.00001"), (0.000000001, "0.000000001"), (2.5, "2.5"),
            (0.43720000000000003, "0.43720000000000003"), (1e14, "100000000000000"),
            (123456789012345, "123456789012345"),
            (999999999999999, "999999999999999"), (12345678901234.5, "12345678901234.5"),
            (99999999999.9999, "99999999999.9999"),
            (0.1 + 0.2, "0.30000000000000004"), (1.0 / 3, "0.3333333333333333"), (100.10, "100.1"),
            (100.0010, "100.001"),
            (4110.25, "4110.25"), (80000000.5, "80000000.5"), (1234567.891, "1234567.891"), (0.12345, "0.12345"),
            (0.123456789, "0.123456789"), (1.0001, "1.0001"), (1.001, "1.001"), (123456.789012345, "123456.789012345"),
        ] as [(Double, String)])
    func `a value is written as its shortest decimal`(value: Double, text: String) {
        #expect(DecimalText.string(value) == text)
        #expect(Double(text) == value)
    }

    @Test(arguments: [
        -0.0, 1e15, 1e16, 1e22, 1.7976931348623157e308, 2.2250738585072014e-308, 1e-10, 1.5e-12, 123456789012345680,
        9007199254740992, 999999999999999.9, 1e-300,
    ])
    func `a value out of the usual range reads back the same too`(value: Double) throws {
        #expect(try #require(Double(DecimalText.string(value))).bitPattern == value.bitPattern)
        #expect(
            DecimalTextTests.digitCount(DecimalText.string(value)) == DecimalTextTests.digitCount(value.description))
    }

    @Test func `random values read back the same from as few digits as there can be`() throws {
        var random = SeededRandom(seed: 21)
        for round in 0..<DecimalTextTests.rounds {
            let value: Double
            switch round % 6 {
            case 0: value = Double(Int.random(in: 0..<100_000_000, using: &random)) / 1e4
            case 1: value = Double(Int.random(in: 0..<1_000_000_000_000_000, using: &random)) / 1e9
            case 2: value = Double.random(in: 0..<10_000, using: &random)
            case 3: value = Double(Int.random(in: -1_000_000...1_000_000, using: &random)) / 1e2
            case 4:
                let power = Int.random(in: 0...12, using: &random)
                value =
                    Double(Int.random(in: 0..<1_000_000_000_000_000, using: &random))
                    / (0..<power).reduce(1.0) { scale, _ in scale * 10 }
            default: value = Double(bitPattern: random.next())
            }
            guard value.isFinite else { continue }
            let text = DecimalText.string(value)
            // The standard library's own text is the shortest that reads back.
            guard Double(text)?.bitPattern == value.bitPattern,
                DecimalTextTests.digitCount(text) == DecimalTextTests.digitCount(value.description)
            else {
                Issue.record("\(value.description) is written as \(text)")
                continue
            }
        }
    }

    @Test func `decimals of up to fifteen digits come out as they went in`() throws {
        var random = SeededRandom(seed: 21)
        for _ in 0..<DecimalTextTests.rounds {
            let decimals = Int.random(in: 0...9, using: &random)
            let digits = Int.random(in: 1...Int.random(in: 1...999_999_999_999_999, using: &random), using: &random)
            var text = String(digits)
            if decimals > 0 {
                text = String(repeating: "0", count: max(0, decimals + 1 - text.count)) + text
                text.insert(".", at: text.index(text.endIndex, offsetBy: -decimals))
                while text.hasSuffix("0") { text.removeLast() }
                if text.hasSuffix(".") { text.removeLast() }
            }
            guard DecimalText.string(try #require(Double(text))) == text else {
                Issue.record("\(text) became \(DecimalText.string(Double(text)!))")
                continue
            }
        }
    }

    @Test(arguments: [0, 1, -1, 9, 10, 1_381_219_200_135, Int64.max, Int64.min])
    func `integers are written in full`(value: Int64) {
        var output = Array("x".utf8)
        DecimalText.append(value, to: &output)
        #expect(String(decoding: output, as: UTF8.self) == "x\(value)")
    }

    /// The significant digits, without the zeros around them.
    static func digitCount(_ text: String) -> Int {
        let mantissa = text.prefix { $0 != "e" }.filter(\.isNumber)
        return mantissa.drop { $0 == "0" }.reversed().drop { $0 == "0" }.count
    }
}
