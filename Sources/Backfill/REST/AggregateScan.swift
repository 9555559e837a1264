import FoundationEssentials
import Glibc

/// Reads the usual form of a page of aggregates, flat objects of numbers, without a decoder's cost for each number: a
/// day of five hundred symbols has a million and a half of them.
struct AggregateScan {
    private var place: UnsafePointer<UInt8>
    private let end: UnsafePointer<UInt8>

    private static let opening = Array(#""results":["#.utf8)

    /// Returns the page; `nil` for one of another form, which is left to the decoder.
    static func read(_ bytes: [UInt8]) -> AggregateAnswer? {
        guard bytes.last == UInt8(ascii: "}"), let opening = bytes.firstRange(of: opening) else { return nil }
        let found: (results: [RESTBar], end: Int)? = bytes.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return nil }
            var scan = AggregateScan(place: base + opening.upperBound, end: base + bytes.count - 1)
            guard let results = scan.results() else { return nil }
            return (results, scan.place - base)
        }
        guard let found else { return nil }
        // What surrounds the array is only a few words.
        let rest = Array(bytes[..<opening.upperBound]) + bytes[found.end...]
        guard var answer = try? JSONDecoder().decode(AggregateAnswer.self, from: Data(rest)) else { return nil }
        answer.results = PageResults(found.results)
        return answer
    }

    /// Reads the array's objects and stops at its closing bracket; `nil` for another form.
    private mutating func results() -> [RESTBar]? {
        var results: [RESTBar] = []
        guard !isAt("]") else { return results }
        repeat {
            guard let result = result() else { return nil }
            results.append(result)
        } while takes(",")
        return isAt("]") ? results : nil
    }

    private mutating func result() -> RESTBar? {
        guard takes("{") else { return nil }
        var time: Int64?
        var (open, high, low, close, volume, vwap): (Double?, Double?, Double?, Double?, Double?, Double?)
        var isOTC: Bool?
        repeat {
            guard takes("\""), let name = name() else { return nil }
            guard takes(":") else { return nil }
            if name == Self.name("otc") {
                guard let flag = flag() else { return nil }
                isOTC = flag
                continue
            }
            guard let number = number() else { return nil }
            switch name {
            case Self.name("t"): time = Int64(exactly: number)
            case Self.name("o"): open = number
            case Self.name("h"): high = number
            case Self.name("l"): low = number
            case Self.name("c"): close = number
            case Self.name("v"): volume = number
            case Self.name("vw"): vwap = number
            default: break
            }
        } while takes(",")
        guard takes("}"), let time, let open, let high, let low, let close, let volume else { return nil }
        return RESTBar(t: time, o: open, h: high, l: low, c: close, v: volume, vw: vwap, otc: isOTC)
    }

    /// Reads a name of up to eight bytes as a number, and its closing quote.
    private mutating func name() -> UInt64? {
        var value: UInt64 = 0
        for _ in 0..<9 where place < end {
            let byte = place.pointee
            place += 1
            if byte == UInt8(ascii: "\"") { return value }
            guard byte != UInt8(ascii: "\\") else { return nil }
            value = value << 8 | UInt64(byte)
        }
        return nil
    }

    private static func name(_ text: StaticString) -> UInt64 {
        (0..<text.utf8CodeUnitCount).reduce(0) { $0 << 8 | UInt64(text.utf8Start[$1]) }
    }

    private mutating func number() -> Double? {
        guard place < end, place.pointee == UInt8(ascii: "-") || (0x30...0x39).contains(place.pointee) else {
            return nil
        }
        if let plain = plainNumber() { return plain }
        // The page ends with a brace, so `strtod` stops within the bytes.
        var after: UnsafeMutablePointer<CChar>?
        let start = UnsafeRawPointer(place).assumingMemoryBound(to: CChar.self)
        let value = strtod(start, &after)
        guard let after, UnsafePointer(after) > start else { return nil }
        place += UnsafePointer(after) - start
        return value
    }

    /// Reads a decimal of up to 15 digits without an exponent. The digits and the power of ten are exact, so the one
    /// division rounds only once.
    private mutating func plainNumber() -> Double? {
        var next = place
        let isNegative = next.pointee == UInt8(ascii: "-")
        if isNegative { next += 1 }
        var (digits, count, decimals) = (Int64(0), 0, 0)
        func takeDigits() {
            while next < end, count < 16, 0x30...0x39 ~= next.pointee {
                digits = digits * 10 + Int64(next.pointee - 0x30)
                count += 1
                next += 1
            }
        }
        takeDigits()
        if next < end, count > 0, next.pointee == UInt8(ascii: ".") {
            let whole = count
            next += 1
            takeDigits()
            decimals = count - whole
            guard decimals > 0 else { return nil }
        }
        guard 1...15 ~= count, next < end, next.pointee == UInt8(ascii: ",") || next.pointee == UInt8(ascii: "}") else {
            return nil
        }
        place = next
        let value = Double(digits) / Self.powers[decimals]
        return isNegative ? -value : value
    }

    private static let powers = (0...15).map { power in (0..<power).reduce(1.0) { value, _ in value * 10 } }

    private mutating func flag() -> Bool? {
        for (word, value) in [("true", true), ("false", false)] {
            let bytes = Array(word.utf8)
            guard end - place >= bytes.count, memcmp(place, bytes, bytes.count) == 0 else { continue }
            place += bytes.count
            return value
        }
        return nil
    }

    private mutating func isAt(_ byte: Unicode.Scalar) -> Bool {
        while place < end, [0x20, 0x0A, 0x0D, 0x09].contains(place.pointee) { place += 1 }
        return place < end && place.pointee == UInt8(ascii: byte)
    }

    private mutating func takes(_ byte: Unicode.Scalar) -> Bool {
        guard isAt(byte) else { return false }
        place += 1
        return true
    }
}
