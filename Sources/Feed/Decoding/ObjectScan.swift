/// Reads one JSON object into ``EventFields``.
///
/// Each field is first tried on a fast path, in the form that the feed uses: a short name, at most one space before the
/// name and the value, and a plain number, string, array of small integers or literal. Any other field, and any field
/// near the frame's end, goes through ``JSONScan``.
struct ObjectScan {
    let bytes: FrameBytes
    var fields: EventFields

    /// How far past a field's first byte the fast path may read: name and colon (7), two spaces, and the two words of a
    /// number (16).
    private static let quickReach = 25

    /// Reads the object whose `{` is just before `start`; returns the position after its `}`.
    @inline(never)
    mutating func object(from start: Int) throws(JSONFault) -> Int {
        let bytes = self.bytes
        let slots = fields.slots
        let lastQuick = bytes.count &- ObjectScan.quickReach
        var numbers: UInt64 = 0
        var others: UInt64 = 0
        var place = start
        while true {
            var end = -1
            quick: if place <= lastQuick {
                var name = place
                var word = bytes.word(at: name)
                if UInt8(truncatingIfNeeded: word) == 0x20 {
                    name &+= 1
                    word = bytes.word(at: name)
                }
                let (key, nameLength) = ObjectScan.quickName(word)
                guard nameLength > 0 else { break quick }
                var value = name &+ nameLength
                var text = bytes.word(at: value)
                if UInt8(truncatingIfNeeded: text) == 0x20 {
                    value &+= 1
                    text = bytes.word(at: value)
                }
                let values = EightBytes.digitValues(text)
                let nonDigits = EightBytes.nonDigits(ofValues: values)
                if nonDigits & 0x80 == 0 {
                    let number = PlainNumber.read(
                        bytes, at: value, text: text, values: values, nonDigits: nonDigits)
                    guard number.end > 0 else { break quick }
                    end = number.end
                    EventFields.set(
                        key, digits: number.digits, decimals: number.decimals, slots: slots, numbers: &numbers,
                        others: &others)
                } else if UInt8(truncatingIfNeeded: text) == UInt8(ascii: "\"") {
                    let close = ObjectScan.quickString(bytes, value &+ 1)
                    guard close > 0 else { break quick }
                    end = close &+ 1
                    EventFields.set(
                        key, .string, from: value &+ 1, to: close, slots: slots, numbers: &numbers, others: &others)
                } else if UInt8(truncatingIfNeeded: text) == UInt8(ascii: "[") {
                    end = ObjectScan.quickArray(bytes, value)
                    guard end > 0 else { break quick }
                    EventFields.set(
                        key, .plainArray, from: value, to: end, slots: slots, numbers: &numbers, others: &others)
                } else {
                    let (kind, length) = ObjectScan.quickLiteral(text)
                    guard length > 0 else { break quick }
                    end = value &+ length
                    EventFields.set(
                        key, kind, from: value, to: end, slots: slots, numbers: &numbers, others: &others)
                }
            }
            if end > 0, end < bytes.count {
                let next = bytes[end]
                if next == UInt8(ascii: ",") {
                    place = end &+ 1
                    continue
                }
                if next == UInt8(ascii: "}") {
                    fields.numbers = numbers
                    fields.others = others
                    return end &+ 1
                }
            }
            fields.numbers = numbers
            fields.others = others
            let (fieldEnd, isLast) = try field(from: place, isFirst: place == start)
            if isLast { return fieldEnd }
            numbers = fields.numbers
            others = fields.others
            place = fieldEnd
        }
    }

    /// The key that a word starts with, and the length of `"name":`; 0 if the fast path does not know the name.
    @inline(__always)
    private static func quickName(_ word: UInt64) -> (key: FieldKey, length: Int) {
        let quoteColon: UInt16 = 0x3A22
        guard UInt8(truncatingIfNeeded: word) == UInt8(ascii: "\"") else { return (.unknown, 0) }
        if UInt16(truncatingIfNeeded: word &>> 16) == quoteColon {
            let letter = UInt8(truncatingIfNeeded: word &>> 8) &- UInt8(ascii: "a")
            return (FieldKey(index: UInt64(letter)), letter < 26 ? 4 : 0)
        }
        if UInt16(truncatingIfNeeded: word &>> 24) == quoteColon {
            let key = FieldKey(pair: UInt16(truncatingIfNeeded: word &>> 8))
            return (key, key == .unknown ? 0 : 5)
        }
        let rest = word &>> 8
        if UInt16(truncatingIfNeeded: word &>> 32) == quoteColon {
            switch rest & 0xFF_FFFF {
            case 0x6D_7973: return (.sym, 6)
            case 0x76_6164: return (.dav, 6)
            case 0x63_746F: return (.otc, 6)
            default: return (.unknown, 0)
            }
        }
        if UInt16(truncatingIfNeeded: word &>> 40) == quoteColon {
            switch rest & 0xFFFF_FFFF {
            case 0x6966_7274: return (.trfi, 7)
            case 0x7466_7274: return (.trft, 7)
            default: return (.unknown, 0)
            }
        }
        return (.unknown, 0)
    }

    /// The literal that a word starts with, and its length; 0 when there is none.
    @inline(__always)
    static func quickLiteral(_ word: UInt64) -> (kind: EventFields.Kind, length: Int) {
        switch UInt32(truncatingIfNeeded: word) {
        case 0x6C6C_756E: return (.null, 4)
        case 0x6575_7274: return (.boolTrue, 4)
        case 0x736C_6166: return (.boolFalse, UInt8(truncatingIfNeeded: word &>> 32) == UInt8(ascii: "e") ? 5 : 0)
        default: return (.null, 0)
        }
    }

    /// The position of the quote that closes a string without escapes; 0 if there is none or the frame's end is near.
    @inline(__always)
    private static func quickString(_ bytes: FrameBytes, _ start: Int) -> Int {
        var place = start
        while place &+ 8 <= bytes.count {
            let special = EightBytes.firstSpecial(bytes.word(at: place))
            if special != 0 {
                place &+= Int(truncatingIfNeeded: EightBytes.bitsBelow(special) &>> 3)
                return bytes[place] == UInt8(ascii: "\"") ? place : 0
            }
            place &+= 8
        }
        return 0
    }

    /// The position after an array of small integers without spaces and with at most seven bytes between its brackets;
    /// 0 for any other array.
    @inline(__always)
    private static func quickArray(_ bytes: FrameBytes, _ start: Int) -> Int {
        let word = bytes.word(at: start &+ 1)
        let close = EightBytes.firstEqual(word, to: UInt8(ascii: "]"))
        guard close != 0 else { return 0 }
        let bits = EightBytes.bitsBelow(close)
        let inside: UInt64 = (1 &<< bits) &- 1
        let commas = EightBytes.equal(word, to: UInt8(ascii: ",")) & inside
        let zeros = EightBytes.equal(word, to: UInt8(ascii: "0")) & inside
        let nonDigits = EightBytes.nonDigits(ofValues: EightBytes.digitValues(word)) & inside
        let firsts = ((commas &<< 8) | 0x80) & inside
        let lasts = (commas &>> 8) | (bits == 0 ? 0 : 0x80 &<< (bits &- 8))
        // Only digits and commas, no empty number, and no number with a leading zero.
        let digits = ~nonDigits & inside & 0x8080_8080_8080_8080
        guard nonDigits == commas, firsts & ~digits == 0, lasts & ~digits == 0,
            zeros & firsts & (digits &>> 8) == 0
        else { return 0 }
        return start &+ 2 &+ Int(truncatingIfNeeded: bits &>> 3)
    }

    /// Reads one field of any shape and the comma or bracket after it.
    @inline(never)
    private mutating func field(from start: Int, isFirst: Bool) throws(JSONFault) -> (end: Int, isLast: Bool) {
        let name = JSONScan.skipSpace(bytes, start)
        guard name < bytes.count else { throw .malformed }
        if isFirst, bytes[name] == UInt8(ascii: "}") { return (name &+ 1, true) }
        let (nameEnd, escaped) = try JSONScan.string(bytes, name)
        let key = ObjectScan.key(bytes.slice(name &+ 1, nameEnd &- 1), escaped: escaped)
        let colon = JSONScan.skipSpace(bytes, nameEnd)
        guard colon < bytes.count, bytes[colon] == UInt8(ascii: ":") else { throw .malformed }
        let value = JSONScan.skipSpace(bytes, colon &+ 1)
        let (valueEnd, kind) = try JSONScan.value(bytes, value, depth: FrameDecoder.eventDepth)
        let quotes = kind == .string || kind == .escapedString ? 1 : 0
        EventFields.set(
            key, kind, from: value &+ quotes, to: valueEnd &- quotes, slots: fields.slots, numbers: &fields.numbers,
            others: &fields.others)
        let next = JSONScan.skipSpace(bytes, valueEnd)
        guard next < bytes.count else { throw .malformed }
        switch bytes[next] {
        case UInt8(ascii: ","): return (next &+ 1, false)
        case UInt8(ascii: "}"): return (next &+ 1, true)
        default: throw .malformed
        }
    }

    /// The key of a name, which may contain escapes. A name that is not valid text is unknown.
    private static func key(_ name: UnsafeRawBufferPointer, escaped: Bool) -> FieldKey {
        guard escaped else { return FieldKey(name) }
        // The longest known name has seven bytes, and each may be written as `\uXXXX`.
        guard name.count <= 7 * 6 else { return .unknown }
        var plain: [UInt8] = []
        guard KeptText.appendUnescaped(name, to: &plain) else { return .unknown }
        return plain.withUnsafeBytes { FieldKey($0) }
    }
}
