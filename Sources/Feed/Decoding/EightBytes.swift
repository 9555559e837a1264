/// Tests and arithmetic on eight bytes at once. The first byte of the text is the lowest byte of the word.
///
/// The tests return masks: a byte's top bit is set if the test holds for that byte.
enum EightBytes {
    @inline(__always) private static var ones: UInt64 { 0x0101_0101_0101_0101 }
    @inline(__always) private static var tops: UInt64 { 0x8080_8080_8080_8080 }
    @inline(__always) private static var rests: UInt64 { 0x7F7F_7F7F_7F7F_7F7F }

    /// `byte` in all eight positions.
    @inline(__always)
    static func all(_ byte: UInt8) -> UInt64 { ones &* UInt64(byte) }

    /// The bytes equal to `byte`. Exact up to and including the lowest hit; higher hits may be false.
    @inline(__always)
    static func firstEqual(_ word: UInt64, to byte: UInt8) -> UInt64 {
        let difference = word ^ all(byte)
        return (difference &- ones) & ~difference & tops
    }

    /// The bytes equal to `byte`, exactly.
    @inline(__always)
    static func equal(_ word: UInt64, to byte: UInt8) -> UInt64 {
        let difference = word ^ all(byte)
        return ~(((difference & rests) &+ rests) | difference) & tops
    }

    /// The bytes below 0x20. Exact up to and including the lowest hit.
    @inline(__always)
    static func firstControl(_ word: UInt64) -> UInt64 { (word &- all(0x20)) & ~word & tops }

    /// The bytes that interrupt a JSON string: quotes, backslashes and control characters. Exact up to and including
    /// the lowest hit.
    @inline(__always)
    static func firstSpecial(_ word: UInt64) -> UInt64 {
        firstEqual(word, to: UInt8(ascii: "\"")) | firstEqual(word, to: UInt8(ascii: "\\")) | firstControl(word)
    }

    /// The word with each digit turned into its value.
    @inline(__always)
    static func digitValues(_ word: UInt64) -> UInt64 { word ^ all(UInt8(ascii: "0")) }

    /// The bytes of ``digitValues(_:)`` that are not digits. Exact up to and including the lowest byte that is not
    /// ASCII.
    @inline(__always)
    static func nonDigits(ofValues values: UInt64) -> UInt64 { ((values &+ all(0x76)) | values) & tops }

    /// The number of bits below the byte of the lowest hit: 0, 8, … 56. Meaningless if `mask` is 0.
    @inline(__always)
    static func bitsBelow(_ mask: UInt64) -> UInt64 {
        UInt64(truncatingIfNeeded: mask.trailingZeroBitCount) & 56
    }

    /// The number that eight digit values spell.
    @inline(__always)
    static func number(_ values: UInt64) -> UInt64 {
        let pairs = values &* 10 &+ (values &>> 8)
        let mask: UInt64 = 0x0000_00FF_0000_00FF
        let low = (pairs & mask) &* 0x000F_4240_0000_0064
        let high = ((pairs &>> 16) & mask) &* 0x0000_2710_0000_0001
        return (low &+ high) &>> 32
    }

    /// The number that the lowest `bits / 8` digit values spell; 0 for none. `bits` is 0, 8, … 56.
    @inline(__always)
    static func number(_ values: UInt64, bits: UInt64) -> UInt64 { number((values &<< (56 &- bits)) &<< 8) }
}
