/// A field's name as a small number: the index of its slot in ``EventFields``.
///
/// One-letter names have the letter's position in the alphabet. The known longer names follow. All other names share
/// one index.
struct FieldKey: Equatable, ExpressibleByUnicodeScalarLiteral {
    /// 0…63.
    let index: UInt64

    /// The number of slots that ``EventFields`` needs.
    static let slotCount = 64

    @inline(__always)
    init(index: UInt64) { self.index = index }

    /// The key of a name of one letter, `a` to `z`.
    @inline(__always)
    init(unicodeScalarLiteral letter: Unicode.Scalar) { index = UInt64(letter.value &- 0x61) }

    /// The lowest key in a mask, which must not be empty.
    init(firstOf mask: UInt64) { index = UInt64(mask.trailingZeroBitCount) }

    /// The slot's bit in a mask.
    @inline(__always)
    var bit: UInt64 { 1 &<< index }

    @inline(__always) static var ev: FieldKey { FieldKey(index: 26) }
    @inline(__always) static var sym: FieldKey { FieldKey(index: 27) }
    @inline(__always) static var av: FieldKey { FieldKey(index: 28) }
    @inline(__always) static var dv: FieldKey { FieldKey(index: 29) }
    @inline(__always) static var op: FieldKey { FieldKey(index: 30) }
    @inline(__always) static var vw: FieldKey { FieldKey(index: 31) }
    @inline(__always) static var ds: FieldKey { FieldKey(index: 32) }
    @inline(__always) static var bx: FieldKey { FieldKey(index: 33) }
    @inline(__always) static var bp: FieldKey { FieldKey(index: 34) }
    @inline(__always) static var bs: FieldKey { FieldKey(index: 35) }
    @inline(__always) static var ax: FieldKey { FieldKey(index: 36) }
    @inline(__always) static var ap: FieldKey { FieldKey(index: 37) }
    @inline(__always) static var `as`: FieldKey { FieldKey(index: 38) }
    @inline(__always) static var dav: FieldKey { FieldKey(index: 39) }
    @inline(__always) static var otc: FieldKey { FieldKey(index: 40) }
    @inline(__always) static var trfi: FieldKey { FieldKey(index: 41) }
    @inline(__always) static var trft: FieldKey { FieldKey(index: 42) }
    @inline(__always) static var status: FieldKey { FieldKey(index: 43) }
    @inline(__always) static var message: FieldKey { FieldKey(index: 44) }
    @inline(__always) static var fmv: FieldKey { FieldKey(index: 45) }
    @inline(__always) static var at: FieldKey { FieldKey(index: 46) }
    /// `T`: the ticker of events that don't have `sym`.
    @inline(__always) static var ticker: FieldKey { FieldKey(index: 47) }
    @inline(__always) static var pt: FieldKey { FieldKey(index: 48) }
    /// Any name that the decoder does not know.
    @inline(__always) static var unknown: FieldKey { FieldKey(index: 63) }

    private static let longNames = [
        "ev", "sym", "av", "dv", "op", "vw", "ds", "bx", "bp", "bs", "ax", "ap", "as", "dav", "otc", "trfi", "trft",
        "status", "message", "fmv", "at", "T", "pt",
    ]

    /// The name as the feed writes it.
    var name: String {
        if index < 26 { return String(Unicode.Scalar(UInt8(0x61 + index))) }
        let place = Int(index) - 26
        return place < FieldKey.longNames.count ? FieldKey.longNames[place] : "?"
    }

    /// The key of a two-byte name, with the first byte in the low byte.
    @inline(__always)
    init(pair: UInt16) {
        switch pair {
        case FieldKey.pair("e", "v"): self = .ev
        case FieldKey.pair("a", "v"): self = .av
        case FieldKey.pair("d", "v"): self = .dv
        case FieldKey.pair("o", "p"): self = .op
        case FieldKey.pair("v", "w"): self = .vw
        case FieldKey.pair("d", "s"): self = .ds
        case FieldKey.pair("b", "x"): self = .bx
        case FieldKey.pair("b", "p"): self = .bp
        case FieldKey.pair("b", "s"): self = .bs
        case FieldKey.pair("a", "x"): self = .ax
        case FieldKey.pair("a", "p"): self = .ap
        case FieldKey.pair("a", "s"): self = .as
        case FieldKey.pair("p", "t"): self = .pt
        default: self = .unknown
        }
    }

    /// The key of any name, given as its unescaped bytes.
    init(_ name: UnsafeRawBufferPointer) {
        switch name.count {
        case 1 where name[0] >= 0x61 && name[0] <= 0x7A:
            self.init(index: UInt64(name[0] - 0x61))
        // Rare names are matched only here, so that the fast path has fewer comparisons.
        case 1 where name[0] == UInt8(ascii: "T"):
            self = .ticker
        case 2 where name.elementsEqual("at".utf8):
            self = .at
        case 2:
            self.init(pair: UInt16(name[0]) | UInt16(name[1]) << 8)
        case 3...7:
            let place = FieldKey.longNames.firstIndex { name.elementsEqual($0.utf8) }
            self = place.map { FieldKey(index: UInt64(26 + $0)) } ?? .unknown
        default:
            self = .unknown
        }
    }

    @inline(__always)
    private static func pair(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> UInt16 {
        UInt16(truncatingIfNeeded: first.value) | UInt16(truncatingIfNeeded: second.value) &<< 8
    }
}
