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
