import MarketData

extension EventReader {
    /// Returns the symbol in `sym`, which is required.
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
        return try symbol(.sym)
    }

    /// Returns the symbol at a key, which is required.
    @inline(never)
    func symbol(_ key: FieldKey) throws(Rejection) -> Symbol {
        guard has(key) else { throw Rejection(.missingField, key) }
        guard fields.others & key.bit != 0 else { throw Rejection(.wrongType, key) }
        let symbol: Symbol?
        switch fields.kind(key) {
        case .string: symbol = Symbol(utf8: text(key))
        case .escapedString: symbol = withUnescaped(key) { Symbol(utf8: $0) }
        case .null: throw Rejection(.missingField, key)
        default: throw Rejection(.wrongType, key)
        }
        guard let symbol else { throw Rejection(.badSymbol, key) }
        return symbol
    }

    /// Appends a text to the arena; returns `nil` if it is absent or left out. If it throws, nothing was appended.
    ///
    /// An integer is stored as its digits.
    ///
    /// - Throws: Only ``DecodeRejects/Reason/textOverflow``.
    @inline(__always)
    func keptText(_ key: FieldKey, in arena: inout TextArena, limit: Int) throws(Rejection) -> TextRange? {
        if !has(key) { return nil }
        guard fields.others & key.bit != 0, fields.kind(key) == .string else {
            return try otherText(key, in: &arena, limit: limit)
        }
        let text = text(key)
        guard KeptText.isUTF8(text) else {
            fields.leaveOut(key, .badText)
            return nil
        }
        return try keep(text, of: key, in: &arena, limit: limit)
    }

    @inline(never)
    private func otherText(_ key: FieldKey, in arena: inout TextArena, limit: Int) throws(Rejection) -> TextRange? {
        guard fields.others & key.bit != 0, fields.kind(key) == .escapedString else {
            guard let value = integer(key) else { return nil }
            return try keep(value, of: key, in: &arena, limit: limit)
        }
        var plain: [UInt8] = []
        guard KeptText.appendUnescaped(text(key), to: &plain) else {
            fields.leaveOut(key, .badText)
            return nil
        }
        return try keep(plain, of: key, in: &arena, limit: limit)
    }

    /// Appends an array of integers to the arena as JSON without spaces; returns `nil` if it is absent or left out.
    ///
    /// A single integer is stored as an array of one.
    ///
    /// - Throws: Only ``DecodeRejects/Reason/textOverflow``.
    @inline(__always)
    func integers(_ key: FieldKey, in arena: inout TextArena, limit: Int) throws(Rejection) -> TextRange? {
        if !has(key) { return nil }
        if fields.others & key.bit != 0, fields.kind(key) == .plainArray {
            return try keep(text(key), of: key, in: &arena, limit: limit)
        }
        return try otherIntegers(key, in: &arena, limit: limit)
    }

    @inline(never)
    private func otherIntegers(
        _ key: FieldKey, in arena: inout TextArena, limit: Int
    ) throws(Rejection) -> TextRange? {
        guard fields.others & key.bit != 0, fields.kind(key) == .array else {
            guard let value = smallInteger(key) else { return nil }
            return try keep(Int64(value), asArray: true, of: key, in: &arena, limit: limit)
        }
        guard let plain = optional(plainIntegers, key) else { return nil }
        return try keep(plain, of: key, in: &arena, limit: limit)
    }

    /// Returns an array of integers rewritten in plain form; throws if an element is not a 32-bit integer.
    private func plainIntegers(_ key: FieldKey) throws(Rejection) -> [UInt8]? {
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
        return plain
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

    /// Appends an integer's digits to the arena, in brackets if it stands for an array of one.
    private func keep(
        _ value: Int64, asArray: Bool = false, of key: FieldKey, in arena: inout TextArena, limit: Int
    ) throws(Rejection) -> TextRange {
        let start = arena.bytes.count
        // A sign, 19 digits, two brackets.
        guard limit &- start >= 22 else { throw Rejection(.textOverflow, key) }
        return arena.append(writing: { bytes in
            if asArray { bytes.append(UInt8(ascii: "[")) }
            DecimalText.append(value, to: &bytes)
            if asArray { bytes.append(UInt8(ascii: "]")) }
        })
    }

    /// Returns a text as a `String`; `nil` if it is absent or `null`.
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
}
