import DecoderFuzz
import Foundation
import MarketData
import TestSupport
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(3))) struct NumberDecodingTests {
    #if DEBUG
        static let rounds = 30_000
    #else
        static let rounds = 400_000
    #endif

    /// A price as the decoder reads it; `nil` when it rejects the event for its number.
    static func price(_ text: String) throws -> Double? {
        let decoded = Decoded("[{\"ev\":\"T\",\"sym\":\"S\",\"p\":\(text),\"s\":1,\"t\":1,\"padding\":\"0123456789\"}]")
        if decoded.rejects[.badNumber] == 1 { return nil }
        #expect(decoded.rejects.samples == [])
        return try #require(decoded.batch.trades.first).price
    }

    /// Reads a number twice: with the general parser alone, and as a field of an event.
    static func check(_ text: String, _ expected: Double, sourceLocation: SourceLocation = #_sourceLocation) throws {
        var copy = text
        let general = copy.withUTF8 { DecimalNumber(UnsafeRawBufferPointer($0))?.double }
        let wanted: Double? = expected.isFinite ? expected : nil
        #expect(general?.bitPattern == wanted?.bitPattern, "\(text)", sourceLocation: sourceLocation)
        #expect(try price(text)?.bitPattern == wanted?.bitPattern, "\(text)", sourceLocation: sourceLocation)
    }

    @Test(arguments: [
        "0", "-0", "0.0", "-0.0", "0e0", "0E+5", "0.000e-99999999999999999999", "1", "-1", "12", "1234567", "12345678",
        "123456789", "12345678901234", "123456789012345", "1234567890123456", "12345678901234567",
        "18446744073709551615", "18446744073709551616", "99999999999999999999", "9007199254740993", "0.1", "0.4372",
        "0.43720000000000003", "167.42", "1234.5678", "123456.7", "1234567.8", "12345678.9", "12345678.12345",
        "123456789.125", "1234567.12345678", "0.12345678", "0.00001", "0.0000000000000001", "1.5e3", "1.5E3", "1.5e+3",
        "1.5e-3", "15e22", "15e23", "1e22", "1e23", "123456789012345678e-18", "9999999999999999999e-19", "1e-22",
        "1e-23", "4.9e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072014e-308",
        "2.2250738585072011e-308", "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308",
        "1e308", "1e309", "-1e309", "1e99999999999999999999", "1e-99999999999999999999", "100000000000000000000e-20",
        "0.3", "2.675", "1.005", "8.5", "100.0", "100.10", "00.5".replacingOccurrences(of: "00", with: "0"),
        "7.3177701707893310e+15", "9223372036854775807", "9223372036854775808.5", "5e-324", "1e-400",
    ])
    func `a number reads as the nearest Double`(text: String) throws {
        try NumberDecodingTests.check(text, try #require(Double(text)))
    }

    @Test func `a number of any length reads as the nearest Double`() throws {
        let zeros = String(repeating: "0", count: 5000)
        let nines = String(repeating: "9", count: 5000)
        try NumberDecodingTests.check("0.\(zeros)15e5000", 0.15)
        try NumberDecodingTests.check("15\(zeros)e-5002", 0.15)
        try NumberDecodingTests.check("0.\(nines)", 1)
        try NumberDecodingTests.check("9\(zeros)e-5000", 9)
        try NumberDecodingTests.check("1\(zeros)", .infinity)
        try NumberDecodingTests.check("0.\(zeros)1", 0)
        // Slightly more than half of the smallest number; the difference is far past the digits that a `Double` holds.
        let half = try #require(DecimalExpansion.halfway(above: 0))
        try NumberDecodingTests.check(half, 0)
        try NumberDecodingTests.check(
            half.replacingOccurrences(of: "e", with: "\(zeros)1e").shifted(by: -5001), .leastNonzeroMagnitude)
    }

    @Test func `random numbers read as the nearest Double`() throws {
        var random = SeededRandom(seed: 1)
        for round in 0..<NumberDecodingTests.rounds {
            let text = FrameMaker.number(&random)
            let expected = try #require(Double(text))
            var copy = text
            let general = copy.withUTF8 { DecimalNumber(UnsafeRawBufferPointer($0))?.double }
            guard general?.bitPattern == (expected.isFinite ? expected.bitPattern : nil) else {
                Issue.record("\(text) is \(expected), not \(String(describing: general))")
                continue
            }
            if round % 20 == 0 { try NumberDecodingTests.check(text, expected) }
        }
    }

    @Test func `shortest and longest forms of random Doubles read back`() throws {
        var random = SeededRandom(seed: 2)
        for _ in 0..<NumberDecodingTests.rounds / 10 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            try NumberDecodingTests.check(value.description, value)
        }
        for _ in 0..<300 {
            let value = Double(bitPattern: random.next() & 0x7FFF_FFFF_FFFF_FFFF)
            guard value.isFinite else { continue }
            try NumberDecodingTests.check(DecimalExpansion.exact(value), value)
        }
    }

    @Test func `numbers halfway between two Doubles round to the even one`() throws {
        var random = SeededRandom(seed: 3)
        var values: [Double] = [0, .leastNonzeroMagnitude, 1, 2, 9_007_199_254_740_992, .leastNormalMagnitude.nextDown]
        for _ in 0..<150 { values.append(Double.random(in: 1e-3..<1e6, using: &random)) }
        for _ in 0..<60 { values.append(Double(bitPattern: UInt64.random(in: 0..<0x7FEF << 48, using: &random))) }
        for value in values {
            let half = try #require(DecimalExpansion.halfway(above: value))
            let even = value.bitPattern & 1 == 0 ? value : value.nextUp
            try NumberDecodingTests.check(half, even)
            try NumberDecodingTests.check(half.replacingOccurrences(of: "e", with: "01e").shifted(by: -2), value.nextUp)
            try NumberDecodingTests.check(half.slightlyLess, value)
        }
    }

    @Test func `numbers read as Foundation reads them`() throws {
        var random = SeededRandom(seed: 4)
        var compared = 0
        for _ in 0..<2000 {
            let text = FrameMaker.number(&random)
            // Foundation refuses numbers near the limits of the range.
            guard let read = try? JSONDecoder().decode([Double].self, from: Data("[\(text)]".utf8)) else { continue }
            #expect(try NumberDecodingTests.price(text) == read[0], "\(text)")
            compared += 1
        }
        #expect(compared > 1000)
    }

    @Test(arguments: [
        "01", "00", "-01", "00.5", "1.", ".5", "-", "-.5", "+1", "1e", "1e+", "1E-", "1.e5", "1..2", "1.2.3", "0x10",
        "1_000", "NaN", "Infinity", "-Infinity", "1e5.5", "12345678.", "1234567.", "01234567", "012345678", "1,5x",
        "--1", "1-", "1+1", "1 2", "123456789012.", "0123456789.5", "00.12345678",
    ])
    func `what JSON does not take as a number is malformed`(text: String) {
        let decoded = Decoded.event("{\"ev\":\"T\",\"sym\":\"S\",\"p\":\(text),\"s\":1,\"t\":1}")
        #expect(decoded.events == [])
        #expect(decoded.rejects[.malformedJSON] > 0)
    }

    @Test func `prices come out as the decimal that was sent`() throws {
        var random = SeededRandom(seed: 5)
        for _ in 0..<NumberDecodingTests.rounds / 5 {
            let decimals = Int.random(in: 0...6, using: &random)
            let digits = Int.random(in: 1..<10_000_000_000, using: &random)
            var text = String(digits)
            if decimals > 0 {
                text = String(repeating: "0", count: max(0, decimals + 1 - text.count)) + text
                text.insert(".", at: text.index(text.endIndex, offsetBy: -decimals))
            }
            let decimal = try #require(try NumberDecodingTests.price(text)).decimal
            var shortest = text
            if decimals > 0 {
                while shortest.hasSuffix("0") { shortest.removeLast() }
                if shortest.hasSuffix(".") { shortest.removeLast() }
            }
            #expect(decimal == shortest)
        }
    }
}

extension String {
    /// The number with another exponent; it must be written with one.
    fileprivate func shifted(by places: Int) -> String {
        let mark = lastIndex(of: "e")!
        return self[...mark] + String(Int(self[index(after: mark)...])! + places)
    }

    /// An integer written with an exponent, made smaller by a thousandth of its last digit.
    fileprivate var slightlyLess: String {
        var digits = Array(self[..<lastIndex(of: "e")!].utf8)
        var place = digits.count - 1
        while digits[place] == UInt8(ascii: "0") {
            digits[place] = UInt8(ascii: "9")
            place -= 1
        }
        digits[place] -= 1
        let first = digits.firstIndex { $0 != UInt8(ascii: "0") } ?? digits.endIndex
        let text = String(decoding: digits[first...], as: UTF8.self) + "999" + self[lastIndex(of: "e")!...]
        return text.shifted(by: -3)
    }
}
