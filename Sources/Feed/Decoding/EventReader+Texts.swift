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

    /// Appends a text, or an integer's digits, to the arena; returns `nil` if it is absent or left out. Throws only
    /// ``DecodeRejects/Reason/textOverflow``, and has appended nothing then.
    @inline(__always)
    func keptText(_ key: FieldKey, in arena: inout TextArena, limit: Int) throws(Rejection) -> TextRange? {
        if !has(key) { return nil }
        guard fields.others & key.bit != 0, fields.kind(key) == .string else {
            return try otherText(key, in: &arena, limit: limit)
        }
        let text = text(key)
        guard UTF8Check.isValid(text) else {
            fields.leaveOut(key, .badText)
            return nil
        }
        return try keep(text, of: key, in: &arena, limit: limit)
    }

    @inline(never)
    private func otherText(_ key: FieldKey, in arena: inout TextArena, limit: Int) throws(Rejection) -> TextRange? {
        guard fields.others & key.bit != 0, fields.kind(key) == .escapedString else {
            guard let value = integer(key) else { return nil }
            // A sign and 19 digits.
            return try keep(key, 20, in: &arena, limit: limit) { DecimalText.append(value, to: &$0) }
        }
        var plain: [UInt8] = []
        // PostgreSQL's texts can't hold a NUL, and the whole event would be refused for it.
        guard KeptText.appendUnescaped(text(key), to: &plain), !plain.contains(0) else {
            fields.leaveOut(key, .badText)
            return nil
        }
        return try keep(key, plain.count, in: &arena, limit: limit) { $0 += plain }
    }

    /// Appends an array of integers, or one integer as an array, to the arena as JSON without spaces; returns `nil` if
    /// it is absent or left out. Throws only ``DecodeRejects/Reason/textOverflow``.
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
            // A sign, ten digits and two brackets.
            return try keep(key, 13, in: &arena, limit: limit) { bytes in
                bytes.append(UInt8(ascii: "["))
                DecimalText.append(Int64(value), to: &bytes)
                bytes.append(UInt8(ascii: "]"))
            }
        }
        guard let plain = optional(plainIntegers, key) else { return nil }
        return try keep(key, plain.count, in: &arena, limit: limit) { $0 += plain }
    }

    /// Returns an array of integers rewritten in plain form; throws if an element is not a 32-bit integer.
    private func plainIntegers(_ key: FieldKey) throws(Rejection) -> [UInt8]? {
        let closing = fields.start(key) &+ fields.length(key) &- 1
        var plain: [UInt8] = [UInt8(ascii: "[")]
        var place = fields.start(key) &+ 1
        while place < closing {
            switch bytes[place] {
            case 0x20, 0x0A, 0x0D, 0x09, UInt8(ascii: ","):
                place &+= 1
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                guard let end = try? JSONScan.number(bytes, place),
                    let value = DecimalNumber(bytes.slice(place, end))?.integer, Int32(exactly: value) != nil
                else { throw Rejection(.badNumber, key) }
                if plain.count > 1 { plain.append(UInt8(ascii: ",")) }
                DecimalText.append(value, to: &plain)
                place = end
            default:
                throw Rejection(.wrongType, key)
            }
        }
        plain.append(UInt8(ascii: "]"))
        return plain
    }

    @inline(__always)
    private func keep(
        _ text: UnsafeRawBufferPointer, of key: FieldKey, in arena: inout TextArena, limit: Int
    ) throws(Rejection) -> TextRange {
        guard text.count <= limit &- arena.bytes.count else { throw Rejection(.textOverflow, key) }
        return arena.append(text)
    }

    /// Has `write` append at most `most` bytes to the arena.
    private func keep(
        _ key: FieldKey, _ most: Int, in arena: inout TextArena, limit: Int, writing write: (inout [UInt8]) -> Void
    ) throws(Rejection) -> TextRange {
        guard most <= limit &- arena.bytes.count else { throw Rejection(.textOverflow, key) }
        return arena.append(writing: write)
    }

    /// Returns a text as a `String`; `nil` if it is absent or `null`.
    func string(_ key: FieldKey) throws(Rejection) -> String? {
        if !has(key) { return nil }
        guard fields.others & key.bit != 0 else { throw Rejection(.wrongType, key) }
        switch fields.kind(key) {
        case .string, .escapedString:
            guard let text = withUnescaped(key, { String(decoding: $0, as: UTF8.self) }) else {
                throw Rejection(.badText, key)
            }
            return text
        case .null: return nil
        default: throw Rejection(.wrongType, key)
        }
    }
}
