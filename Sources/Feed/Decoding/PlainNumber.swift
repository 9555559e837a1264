/// A number as the feed writes nearly all: non-negative, at most 15 digits, without exponent.
struct PlainNumber {
    /// The digits without the point.
    var digits: UInt64
    /// How many of them stand behind the point.
    var decimals: UInt64
    /// The place behind the number; 0 when it is written in another way.
    var end: Int

    @inline(__always)
    private static var other: PlainNumber { PlainNumber(digits: 0, decimals: 0, end: 0) }

    /// Reads a number that starts with a digit at `place`, with 16 bytes readable from there. `text` is the word at
    /// `place`, `values` and `nonDigits` its forms. What follows the number is the caller's to check.
    @inline(__always)
    static func read(
        _ bytes: FrameBytes, at place: Int, text: UInt64, values: UInt64, nonDigits: UInt64
    ) -> PlainNumber {
        let startsWithZero = UInt8(truncatingIfNeeded: values) == 0
        guard nonDigits != 0 else {
            if startsWithZero { return other }
            return joined(bytes, at: place, head: EightBytes.number(values), pointAt: nil)
        }
        let whole = EightBytes.bitsBelow(nonDigits)
        // A zero stands alone in front of the point (RFC 8259, section 6).
        if startsWithZero, whole != 8 { return other }
        guard UInt8(truncatingIfNeeded: text &>> whole) == UInt8(ascii: ".") else {
            return PlainNumber(
                digits: EightBytes.number(values, bits: whole), decimals: 0,
                end: place &+ Int(truncatingIfNeeded: whole &>> 3))
        }
        let below: UInt64 = (1 &<< whole) &- 1
        let withoutPoint = (values & below) | ((values &>> 8) & ~below)
        let stops = nonDigits & (nonDigits &- 1)
        guard stops != 0 else {
            return joined(
                bytes, at: place, head: EightBytes.number(withoutPoint, bits: 56), pointAt: whole &>> 3)
        }
        let all = EightBytes.bitsBelow(stops)
        let decimals = (all &- whole &- 8) &>> 3
        guard decimals != 0 else { return other }
        return PlainNumber(
            digits: EightBytes.number(withoutPoint, bits: all &- 8), decimals: decimals,
            end: place &+ Int(truncatingIfNeeded: all &>> 3))
    }

    /// A number that goes on in the next word; `head` is what the first one holds, `pointAt` its point's place there.
    @inline(__always)
    private static func joined(_ bytes: FrameBytes, at place: Int, head: UInt64, pointAt: UInt64?) -> PlainNumber {
        let values = EightBytes.digitValues(bytes.word(at: place &+ 8))
        let nonDigits = EightBytes.nonDigits(ofValues: values)
        guard nonDigits != 0 else { return other }
        let bits = EightBytes.bitsBelow(nonDigits)
        let more = bits &>> 3
        let decimals = if let pointAt { 7 &- pointAt &+ more } else { 0 as UInt64 }
        if pointAt != nil, decimals == 0 { return other }
        return PlainNumber(
            digits: head &* powerOfTen(more) &+ EightBytes.number(values, bits: bits),
            decimals: decimals, end: place &+ 8 &+ Int(truncatingIfNeeded: more))
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
}
