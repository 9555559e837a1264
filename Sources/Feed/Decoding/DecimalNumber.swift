/// A JSON number of any length and form, read exactly.
struct DecimalNumber {
    private var isNegative = false
    /// The first 19 significant digits. The number is `digits × 10^exponent` if no nonzero digit was cut.
    private var digits: UInt64 = 0
    private var exponent = 0
    /// Whether digits other than zeros follow the first 19.
    private var isCut = false
    private let text: UnsafeRawBufferPointer

    /// 10^19 is the largest power of ten below 2^64.
    private static let maximumDigits = 19
    /// Larger written exponents are clamped to this. They overflow or underflow anyway, and the sum with the length of
    /// any text stays within `Int`.
    private static let exponentCap = 1 << 50

    /// Parses `text`; returns `nil` if `text` as a whole is not one JSON number.
    init?(_ text: UnsafeRawBufferPointer) {
        let bytes = FrameBytes(base: text.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!, count: text.count)
        guard let end = try? JSONScan.number(bytes, 0), end == bytes.count else { return nil }
        self.text = text
        var count = 0
        var inFraction = false
        for (place, byte) in text.enumerated() {
            switch byte {
            case UInt8(ascii: "-"): isNegative = true
            case UInt8(ascii: "."): inFraction = true
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let digit = UInt64(byte &- UInt8(ascii: "0"))
                if count == 0, digit == 0 {
                    if inFraction { exponent -= 1 }
                } else if count < DecimalNumber.maximumDigits {
                    digits = digits &* 10 &+ digit
                    count += 1
                    if inFraction { exponent -= 1 }
                } else {
                    isCut = isCut || digit != 0
                    if !inFraction { exponent += 1 }
                }
            default:
                exponent += DecimalNumber.writtenExponent(text, from: place + 1)
                return
            }
        }
    }

    private static func writtenExponent(_ text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var value = 0
        var isNegative = false
        for byte in text[start...] {
            switch byte {
            case UInt8(ascii: "-"): isNegative = true
            case UInt8(ascii: "+"): break
            default: value = min(value * 10 + Int(byte &- UInt8(ascii: "0")), exponentCap)
            }
        }
        return isNegative ? -value : value
    }

    /// The value as an integer; `nil` if it has a fraction or does not fit.
    var integer: Int64? {
        guard digits != 0 else { return 0 }
        // A cut number has more than 19 significant digits, so it has a fraction or is too large.
        guard !isCut else { return nil }
        var magnitude = digits
        if exponent < 0 {
            guard exponent >= -DecimalNumber.maximumDigits else { return nil }
            let (quotient, remainder) = magnitude.quotientAndRemainder(
                dividingBy: DecimalNumber.powerOfTen(-exponent))
            guard remainder == 0 else { return nil }
            magnitude = quotient
        } else if exponent > 0 {
            guard exponent < DecimalNumber.maximumDigits else { return nil }
            let (product, overflow) = magnitude.multipliedReportingOverflow(
                by: DecimalNumber.powerOfTen(exponent))
            guard !overflow else { return nil }
            magnitude = product
        }
        if isNegative {
            return magnitude <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil
        }
        return Int64(exactly: magnitude)
    }

    /// The nearest `Double`, ties to even (IEEE 754); `nil` when that is infinite.
    var double: Double? {
        guard digits != 0 else { return isNegative ? -0.0 : 0.0 }
        guard !isCut, exponent.magnitude <= UInt(DecimalNumber.maximumDigits) else {
            // Rounds correctly too, but takes longer.
            guard let value = Double(String(decoding: text, as: UTF8.self)), value.isFinite else { return nil }
            return value
        }
        let magnitude = exponent < 0 ? Self.quotient(digits, -exponent) : Self.product(digits, exponent)
        return isNegative ? -magnitude : magnitude
    }

    /// `digits / 10^power`, rounded once. The integer quotient has at least 63 bits. With its last bit set if there is
    /// a remainder, it rounds as the true quotient does.
    private static func quotient(_ digits: UInt64, _ power: Int) -> Double {
        let divisor = powerOfTen(power)
        let digitShift = digits.leadingZeroBitCount
        let divisorShift = divisor.leadingZeroBitCount
        let dividend = digits << UInt64(digitShift)
        let (quotient, rest) = (divisor << UInt64(divisorShift)).dividingFullWidth(
            (high: dividend >> 1, low: dividend << 63))
        let scale = Double(sign: .plus, exponent: divisorShift - digitShift - 63, significand: 1)
        return Double(quotient | (rest == 0 ? 0 : 1)) * scale
    }

    /// `digits × 10^power`, rounded once, in the same way.
    private static func product(_ digits: UInt64, _ power: Int) -> Double {
        let (high, low) = digits.multipliedFullWidth(by: powerOfTen(power))
        guard high != 0 else { return Double(low) }
        let shift = high.leadingZeroBitCount
        let top = shift == 0 ? high : high << UInt64(shift) | low >> UInt64(64 - shift)
        let rest = low << UInt64(shift)
        return Double(top | (rest == 0 ? 0 : 1)) * Double(sign: .plus, exponent: 64 - shift, significand: 1)
    }

    private static func powerOfTen(_ exponent: Int) -> UInt64 {
        var power: UInt64 = 1
        for _ in 0..<exponent { power &*= 10 }
        return power
    }
}
