import MarketData

/// Why an object is no event of ours.
struct Rejection: Error {
    var reason: DecodeRejects.Reason
    var field: FieldKey?

    init(_ reason: DecodeRejects.Reason, _ field: FieldKey? = nil) {
        self.reason = reason
        self.field = field
    }
}

/// Reads one object's fields as the types that an event has, each checked. Absent and `null` are the same.
struct EventReader {
    let bytes: FrameBytes
    let fields: EventFields

    /// Whether the key is in the object with any value, `null` included.
    @inline(__always)
    func has(_ key: FieldKey) -> Bool { (fields.numbers | fields.others) & key.bit != 0 }

    // MARK: Numbers

    /// A number; `nil` when absent.
    @inline(__always)
    func number(_ key: FieldKey) throws(Rejection) -> Double? {
        if fields.numbers & key.bit != 0 { return plainDouble(key) }
        if fields.others & key.bit == 0 { return nil }
        return try otherNumber(key)
    }

    /// A number that must be there.
    @inline(__always)
    func requiredNumber(_ key: FieldKey) throws(Rejection) -> Double {
        if fields.numbers & key.bit != 0 { return plainDouble(key) }
        guard fields.others & key.bit != 0, let value = try otherNumber(key) else {
            throw Rejection(.missingField, key)
        }
        return value
    }

    /// A number that the feed sends twice: exactly, as a decimal string, or else rounded.
    @inline(__always)
    func number(exact: FieldKey, rounded: FieldKey) throws(Rejection) -> Double? {
        if has(exact), let value = try decimalString(exact) { return value }
        return try number(rounded)
    }

    @inline(__always)
    private func plainDouble(_ key: FieldKey) -> Double {
        PlainNumber.double(digits: fields.digits(key), decimals: fields.decimals(key))
    }

    @inline(never)
    private func otherNumber(_ key: FieldKey) throws(Rejection) -> Double? {
        switch fields.kind(key) {
        case .null: return nil
        case .number:
            guard let value = DecimalNumber(text(key))?.double else { throw Rejection(.badNumber, key) }
            return value
        default: throw Rejection(.wrongType, key)
        }
    }

    @inline(never)
    private func decimalString(_ key: FieldKey) throws(Rejection) -> Double? {
        if fields.numbers & key.bit != 0 { return plainDouble(key) }
        guard fields.kind(key) == .string else {
            guard fields.kind(key) == .escapedString else { return try otherNumber(key) }
            guard let value = withUnescaped(key, { DecimalNumber($0)?.double }) else {
                throw Rejection(.badNumber, key)
            }
            return value
        }
        let start = fields.start(key)
        let length = fields.length(key)
        if length > 0, start &+ 16 <= bytes.count {
            let word = bytes.word(at: start)
            let values = EightBytes.digitValues(word)
            let nonDigits = EightBytes.nonDigits(ofValues: values)
            if nonDigits & 0x80 == 0 {
                let number = PlainNumber.read(
                    bytes, at: start, text: word, values: values, nonDigits: nonDigits)
                if number.end == start &+ length {
                    return number.double
                }
            }
        }
        guard let value = DecimalNumber(text(key))?.double else { throw Rejection(.badNumber, key) }
        return value
    }

    /// An integer of 64 bits; `nil` when absent.
    @inline(__always)
    func integer(_ key: FieldKey, orElse fault: DecodeRejects.Reason = .badNumber) throws(Rejection) -> Int64? {
        if fields.numbers & key.bit != 0, fields.decimals(key) == 0 {
            return Int64(truncatingIfNeeded: fields.digits(key))
        }
        if !has(key) { return nil }
        return try otherInteger(key, orElse: fault)
    }

    @inline(never)
    private func otherInteger(_ key: FieldKey, orElse fault: DecodeRejects.Reason) throws(Rejection) -> Int64? {
        if fields.numbers & key.bit != 0 {
            let divisor = UInt64(PlainNumber.doublePowerOfTen(fields.decimals(key)))
            let (quotient, rest) = fields.digits(key).quotientAndRemainder(dividingBy: divisor)
            guard rest == 0 else { throw Rejection(fault, key) }
            return Int64(truncatingIfNeeded: quotient)
        }
        switch fields.kind(key) {
        case .null: return nil
        case .number:
            guard let value = DecimalNumber(text(key))?.integer else { throw Rejection(fault, key) }
            return value
        default: throw Rejection(.wrongType, key)
        }
    }

    /// An integer of 32 bits; `nil` when absent.
    @inline(__always)
    func smallInteger(_ key: FieldKey) throws(Rejection) -> Int32? {
        guard let value = try integer(key) else { return nil }
        guard let small = Int32(exactly: value) else { throw Rejection(.badNumber, key) }
        return small
    }

    /// A positive number of milliseconds; `nil` when absent.
    @inline(__always)
    func time(_ key: FieldKey) throws(Rejection) -> Int64? {
        guard let value = try integer(key, orElse: .badTime) else { return nil }
        guard value > 0 else { throw Rejection(.badTime, key) }
        return value
    }

    /// A positive number of milliseconds that must be there.
    @inline(__always)
    func requiredTime(_ key: FieldKey) throws(Rejection) -> Int64 {
        guard let value = try time(key) else { throw Rejection(.missingField, key) }
        return value
    }

    /// `true` or `false`; `nil` when absent.
    @inline(__always)
    func flag(_ key: FieldKey) throws(Rejection) -> Bool? {
        if !has(key) { return nil }
        guard fields.others & key.bit != 0 else { throw Rejection(.wrongType, key) }
        switch fields.kind(key) {
        case .boolTrue: return true
        case .boolFalse: return false
        case .null: return nil
        default: throw Rejection(.wrongType, key)
        }
    }

    // MARK: Texts

    /// The symbol, which must be there.
    @inline(__always)
    func symbol() throws(Rejection) -> Symbol {
        if fields.others & FieldKey.sym.bit != 0, fields.kind(.sym) == .string {
            let start = fields.start(.sym)
            if start &+ 16 <= bytes.count,
                let symbol = Symbol(
                    littleEndian: bytes.word(at: start), bytes.word(at: start &+ 8), count: fields.length(.sym))
            {
                return symbol
            }
        }
        return try otherSymbol()
    }

    @inline(never)
    private func otherSymbol() throws(Rejection) -> Symbol {
        guard has(.sym) else { throw Rejection(.missingField, .sym) }
        guard fields.others & FieldKey.sym.bit != 0 else { throw Rejection(.wrongType, .sym) }
        let symbol: Symbol?
        switch fields.kind(.sym) {
        case .string: symbol = Symbol(utf8: text(.sym))
        case .escapedString: symbol = withUnescaped(.sym) { Symbol(utf8: $0) }
        case .null: throw Rejection(.missingField, .sym)
        default: throw Rejection(.wrongType, .sym)
        }
        guard let symbol else { throw Rejection(.badSymbol, .sym) }
        return symbol
    }

    /// Appends a text to the arena; `nil` when absent. Nothing is appended when it throws.
    @inline(__always)
    func keptText(_ key: FieldKey, in arena: inout TextArena, limit: Int) throws(Rejection) -> TextRange? {
        if !has(key) { return nil }
        guard fields.others & key.bit != 0 else { throw Rejection(.wrongType, key) }
        switch fields.kind(key) {
        case .string:
            let text = text(key)
            guard KeptText.isUTF8(text) else { throw Rejection(.badText, key) }
            return try keep(text, of: key, in: &arena, limit: limit)
        case .escapedString:
            return try keepUnescaped(key, in: &arena, limit: limit)
        case .null: return nil
        default: throw Rejection(.wrongType, key)
        }
    }

    @inline(never)
    private func keepUnescaped(_ key: FieldKey, in arena: inout TextArena, limit: Int) throws(Rejection) -> TextRange {
        var plain: [UInt8] = []
        guard KeptText.appendUnescaped(text(key), to: &plain) else { throw Rejection(.badText, key) }
        return try keep(plain, of: key, in: &arena, limit: limit)
    }

    /// Appends an array of integers to the arena as JSON without spaces; `nil` when absent.
    @inline(__always)
    func integers(_ key: FieldKey, in arena: inout TextArena, limit: Int) throws(Rejection) -> TextRange? {
        if !has(key) { return nil }
        if fields.others & key.bit != 0, fields.kind(key) == .plainArray {
            return try keep(text(key), of: key, in: &arena, limit: limit)
        }
        return try otherIntegers(key, in: &arena, limit: limit)
    }

    /// Integers that are written in another form become plain ones.
    @inline(never)
    private func otherIntegers(
        _ key: FieldKey, in arena: inout TextArena, limit: Int
    ) throws(Rejection) -> TextRange? {
        guard fields.others & key.bit != 0 else { throw Rejection(.wrongType, key) }
        switch fields.kind(key) {
        case .null: return nil
        case .array: break
        default: throw Rejection(.wrongType, key)
        }
        let array = text(key)
        var plain: [UInt8] = [UInt8(ascii: "[")]
        var place = 1
        while place < array.count {
            switch array[place] {
            case 0x20, 0x0A, 0x0D, 0x09, UInt8(ascii: ","):
                place &+= 1
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                var end = place
                while EventReader.isInNumber(array[end]) { end &+= 1 }
                let number = DecimalNumber(UnsafeRawBufferPointer(rebasing: array[place..<end]))
                guard let value = number?.integer, Int32(exactly: value) != nil else {
                    throw Rejection(.badNumber, key)
                }
                if plain.count > 1 { plain.append(UInt8(ascii: ",")) }
                DecimalText.append(value, to: &plain)
                place = end
            case UInt8(ascii: "]"):
                place = array.count
            default:
                throw Rejection(.wrongType, key)
            }
        }
        plain.append(UInt8(ascii: "]"))
        return try keep(plain, of: key, in: &arena, limit: limit)
    }

    @inline(__always)
    private static func isInNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    @inline(__always)
    private func keep(
        _ text: UnsafeRawBufferPointer, of key: FieldKey, in arena: inout TextArena, limit: Int
    ) throws(Rejection) -> TextRange {
        guard text.count <= limit &- arena.bytes.count else { throw Rejection(.textOverflow, key) }
        return arena.append(text)
    }

    private func keep(
        _ text: [UInt8], of key: FieldKey, in arena: inout TextArena, limit: Int
    ) throws(Rejection) -> TextRange {
        guard text.count <= limit &- arena.bytes.count else { throw Rejection(.textOverflow, key) }
        return text.withUnsafeBytes { arena.append($0) }
    }

    /// A text as a `String`; `nil` when absent.
    func string(_ key: FieldKey) throws(Rejection) -> String? {
        if !has(key) { return nil }
        guard fields.others & key.bit != 0 else { throw Rejection(.wrongType, key) }
        switch fields.kind(key) {
        case .string:
            let text = text(key)
            guard KeptText.isUTF8(text) else { throw Rejection(.badText, key) }
            return String(decoding: text, as: UTF8.self)
        case .escapedString:
            guard let text = withUnescaped(key, { String(decoding: $0, as: UTF8.self) }) else {
                throw Rejection(.badText, key)
            }
            return text
        case .null: return nil
        default: throw Rejection(.wrongType, key)
        }
    }

    /// The bytes at a key that holds no plain number.
    @inline(__always)
    func text(_ key: FieldKey) -> UnsafeRawBufferPointer {
        let start = fields.start(key)
        return bytes.slice(start, start &+ fields.length(key))
    }

    /// Calls `body` with a string's text; `nil` when the text is not valid.
    func withUnescaped<Result>(_ key: FieldKey, _ body: (UnsafeRawBufferPointer) -> Result?) -> Result? {
        var plain: [UInt8] = []
        guard KeptText.appendUnescaped(text(key), to: &plain) else { return nil }
        return plain.withUnsafeBytes { body($0) }
    }
}
