/// A number in the form of nearly all that the feed sends: non-negative, at most 15 digits, no exponent.
struct PlainNumber {
    /// The digits without the point.
    var digits: UInt64
    /// How many of the digits follow the point.
    var decimals: UInt64
    /// The position after the number; 0 if it is written in another way.
    var end: Int

    @inline(__always)
    static var other: PlainNumber { PlainNumber(digits: 0, decimals: 0, end: 0) }

    /// The value. Both the digits (at most 15) and the power of ten are exact, so the one division rounds once.
    @inline(__always)
    var double: Double { PlainNumber.double(digits: digits, decimals: decimals) }

    @inline(__always)
    static func double(digits: UInt64, decimals: UInt64) -> Double {
        let whole = Double(Int64(truncatingIfNeeded: digits))
        return decimals == 0 ? whole : whole / doublePowerOfTen(decimals)
    }

    /// Reads a number at `place`, from which 16 bytes must be readable. The caller checks what follows the number.
    @inline(__always)
    static func read(_ bytes: FrameBytes, at place: Int) -> PlainNumber {
        let text = bytes.word(at: place)
        let values = EightBytes.digitValues(text)
        let nonDigits = EightBytes.nonDigits(ofValues: values)
        guard nonDigits & 0x80 == 0 else { return other }
        return read(bytes, at: place, text: text, values: values, nonDigits: nonDigits)
    }

    /// Like ``read(_:at:)``, for a word that is known to start with a digit. The caller passes the word, its digit
    /// values and its mask of non-digits.
    @inline(__always)
    static func read(
        _ bytes: FrameBytes, at place: Int, text: UInt64, values: UInt64, nonDigits: UInt64
    ) -> PlainNumber {
        let startsWithZero = UInt8(truncatingIfNeeded: values) == 0
        guard nonDigits != 0 else {
            return startsWithZero ? other : withLongWhole(bytes, at: place, head: EightBytes.number(values))
        }
        let whole = EightBytes.bitsBelow(nonDigits)
        // A leading zero must be the only digit before the point (RFC 8259, section 6).
        if startsWithZero, whole != 8 { return other }
        guard UInt8(truncatingIfNeeded: text &>> whole) == UInt8(ascii: ".") else {
            return PlainNumber(
                digits: EightBytes.number(values, bits: whole), decimals: 0,
                end: place &+ Int(truncatingIfNeeded: whole &>> 3))
        }
        let joined = withoutPoint(values, at: whole)
        let stops = nonDigits & (nonDigits &- 1)
        guard stops != 0 else {
            return withLongFraction(
                bytes, at: place, head: EightBytes.number(joined, bits: 56), decimals: (56 &- whole) &>> 3)
        }
        let all = EightBytes.bitsBelow(stops)
        let decimals = (all &- whole &- 8) &>> 3
        guard decimals != 0 else { return other }
        return PlainNumber(
            digits: EightBytes.number(joined, bits: all &- 8), decimals: decimals,
            end: place &+ Int(truncatingIfNeeded: all &>> 3))
    }

    /// A number whose first word contains the point and `decimals` digits after it.
    @inline(__always)
    private static func withLongFraction(
        _ bytes: FrameBytes, at place: Int, head: UInt64, decimals: UInt64
    ) -> PlainNumber {
        let values = EightBytes.digitValues(bytes.word(at: place &+ 8))
        let nonDigits = EightBytes.nonDigits(ofValues: values)
        let bits = EightBytes.bitsBelow(nonDigits)
        let more = bits &>> 3
        guard nonDigits != 0, decimals &+ more != 0 else { return other }
        return PlainNumber(
            digits: head &* powerOfTen(more) &+ EightBytes.number(values, bits: bits), decimals: decimals &+ more,
            end: place &+ 8 &+ Int(truncatingIfNeeded: more))
    }

    /// A number that starts with eight digits, `head`, before any point.
    @inline(__always)
    private static func withLongWhole(_ bytes: FrameBytes, at place: Int, head: UInt64) -> PlainNumber {
        let text = bytes.word(at: place &+ 8)
        var values = EightBytes.digitValues(text)
        let nonDigits = EightBytes.nonDigits(ofValues: values)
        guard nonDigits != 0 else { return other }
        var bits = EightBytes.bitsBelow(nonDigits)
        var end = bits
        var decimals: UInt64 = 0
        if UInt8(truncatingIfNeeded: text &>> bits) == UInt8(ascii: ".") {
            let stops = nonDigits & (nonDigits &- 1)
            guard stops != 0 else { return other }
            end = EightBytes.bitsBelow(stops)
            decimals = (end &- bits &- 8) &>> 3
            guard decimals != 0 else { return other }
            values = withoutPoint(values, at: bits)
            bits = end &- 8
        }
        return PlainNumber(
            digits: head &* powerOfTen(bits &>> 3) &+ EightBytes.number(values, bits: bits), decimals: decimals,
            end: place &+ 8 &+ Int(truncatingIfNeeded: end &>> 3))
    }

    /// The word without the byte that has `bits` below it; the bytes above it move down.
    @inline(__always)
    private static func withoutPoint(_ values: UInt64, at bits: UInt64) -> UInt64 {
        let below: UInt64 = (1 &<< bits) &- 1
        return (values & below) | ((values &>> 8) & ~below)
    }

    /// 10 to the power of 0…7.
    @inline(__always)
    private static func powerOfTen(_ exponent: UInt64) -> UInt64 {
        switch exponent {
        case 0: 1
        case 1: 10
        case 2: 100
        case 3: 1000
        case 4: 10_000
        case 5: 100_000
        case 6: 1_000_000
        default: 10_000_000
        }
    }

    /// 10 to the power of 0…15, each exact.
    @inline(__always)
    static func doublePowerOfTen(_ exponent: UInt64) -> Double {
        switch exponent {
        case 0: 1
        case 1: 1e1
        case 2: 1e2
        case 3: 1e3
        case 4: 1e4
        case 5: 1e5
        case 6: 1e6
        case 7: 1e7
        case 8: 1e8
        case 9: 1e9
        case 10: 1e10
        case 11: 1e11
        case 12: 1e12
        case 13: 1e13
        case 14: 1e14
        default: 1e15
        }
    }
}
