import MarketData

/// Why an object was rejected.
struct Rejection: Error {
    var reason: DecodeRejects.Reason
    var field: FieldKey?

    init(_ reason: DecodeRejects.Reason, _ field: FieldKey? = nil) {
        self.reason = reason
        self.field = field
    }
}

/// Reads one object's fields as the types that events have, and checks each. An absent field and `null` mean the same.
///
/// An optional field in the wrong form is left out and recorded in ``EventFields/leftOut``. A required field that is
/// absent or in the wrong form throws.
struct EventReader {
    let bytes: FrameBytes
    let fields: EventFields
    let times: ClosedRange<Int64>

    /// Whether the object has the key with any value, including `null`.
    @inline(__always)
    func has(_ key: FieldKey) -> Bool { (fields.numbers | fields.others) & key.bit != 0 }

    /// A number; `nil` when absent or left out.
    @inline(__always)
    func number(_ key: FieldKey) -> Double? {
        if fields.numbers & key.bit != 0 { return plainDouble(key) }
        if fields.others & key.bit == 0 { return nil }
        return optional(otherNumber, key)
    }

    /// A required number.
    @inline(__always)
    func requiredNumber(_ key: FieldKey) throws(Rejection) -> Double {
        if fields.numbers & key.bit != 0 { return plainDouble(key) }
        guard fields.others & key.bit != 0, let value = try otherNumber(key) else {
            throw Rejection(.missingField, key)
        }
        return value
    }

    /// A number that the feed sends in two fields, exactly as a decimal string and rounded; `nil` when both are absent
    /// or left out. The exact one is preferred.
    @inline(__always)
    func number(exact: FieldKey, rounded: FieldKey) -> Double? {
        if has(exact), let value = optional(decimalString, exact) { return value }
        return number(rounded)
    }

    /// A number that the feed sends in two fields, at least one of which is required.
    @inline(__always)
    func requiredNumber(exact: FieldKey, rounded: FieldKey) throws(Rejection) -> Double {
        if has(exact), let value = optional(decimalString, exact) { return value }
        return try requiredNumber(rounded)
    }

    /// Reads an optional field. If `read` throws, records the field as left out and returns `nil`.
    @inline(__always)
    func optional<Value>(
        _ read: (FieldKey) throws(Rejection) -> Value?, _ key: FieldKey
    ) -> Value? {
        do {
            return try read(key)
        } catch {
            fields.leaveOut(key, error.reason)
            return nil
        }
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

    /// An integer of 64 bits; `nil` when absent or left out.
    @inline(__always)
    func integer(_ key: FieldKey) -> Int64? {
        if fields.numbers & key.bit != 0, fields.decimals(key) == 0 {
            return Int64(truncatingIfNeeded: fields.digits(key))
        }
        if !has(key) { return nil }
        return optional({ key throws(Rejection) in try otherInteger(key, orElse: .badNumber) }, key)
    }

    /// An integer that is not written as plain digits, such as `1.0` or `1e3`.
    @inline(never)
    func otherInteger(_ key: FieldKey, orElse fault: DecodeRejects.Reason) throws(Rejection) -> Int64? {
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

    /// An integer of 32 bits; `nil` when absent or left out.
    @inline(__always)
    func smallInteger(_ key: FieldKey) -> Int32? {
        guard let value = integer(key) else { return nil }
        guard let small = Int32(exactly: value) else {
            fields.leaveOut(key, .badNumber)
            return nil
        }
        return small
    }

    /// A time in milliseconds, at least `least`; `nil` when absent or left out.
    @inline(__always)
    func time(_ key: FieldKey, atLeast least: Int64) -> Int64? {
        if !has(key) { return nil }
        return optional({ key throws(Rejection) in try presentTime(key, in: least...Int64.max) }, key)
    }

    /// A time in milliseconds, converted if it was sent in nanoseconds; `nil` when absent or left out.
    @inline(__always)
    func moment(_ key: FieldKey) -> Int64? {
        guard let sent = time(key, atLeast: 0) else { return nil }
        let milliseconds = UnixTime.isNanoseconds(sent) ? sent / 1_000_000 : sent
        guard milliseconds <= Self.latestMoment else {
            fields.leaveOut(key, .badTime)
            return nil
        }
        return milliseconds
    }

    /// The end of the year 9999. A database would refuse the whole event for a time much later than that.
    private static let latestMoment: Int64 = 253_402_300_799_999

    /// A required time within ``times``, in milliseconds.
    @inline(__always)
    func requiredTime(_ key: FieldKey) throws(Rejection) -> Int64 {
        guard has(key), let value = try presentTime(key, in: times) else { throw Rejection(.missingField, key) }
        return value
    }

    /// A required time within ``times``, in milliseconds; also in nanoseconds if its size shows that it was sent so.
    func requiredMoment(_ key: FieldKey) throws(Rejection) -> (milliseconds: Int64, nanoseconds: Int64?) {
        guard has(key), let value = try presentTime(key, in: .min ... .max) else {
            throw Rejection(.missingField, key)
        }
        let isNanoseconds = UnixTime.isNanoseconds(value)
        let milliseconds = isNanoseconds ? value / 1_000_000 : value
        guard times.contains(milliseconds) else { throw Rejection(.badTime, key) }
        return (milliseconds, isNanoseconds ? value : nil)
    }

    @inline(__always)
    private func presentTime(_ key: FieldKey, in range: ClosedRange<Int64>) throws(Rejection) -> Int64? {
        let value: Int64
        if fields.numbers & key.bit != 0, fields.decimals(key) == 0 {
            value = Int64(truncatingIfNeeded: fields.digits(key))
        } else {
            guard let other = try otherInteger(key, orElse: .badTime) else { return nil }
            value = other
        }
        guard range.contains(value) else { throw Rejection(.badTime, key) }
        return value
    }

    /// `true` or `false`; `nil` when absent or left out.
    @inline(__always)
    func flag(_ key: FieldKey) -> Bool? {
        if !has(key) { return nil }
        return optional(presentFlag, key)
    }

    @inline(__always)
    private func presentFlag(_ key: FieldKey) throws(Rejection) -> Bool? {
        guard fields.others & key.bit != 0 else { throw Rejection(.wrongType, key) }
        switch fields.kind(key) {
        case .boolTrue: return true
        case .boolFalse: return false
        case .null: return nil
        default: throw Rejection(.wrongType, key)
        }
    }

    /// The bytes of a value that is not a plain number.
    @inline(__always)
    func text(_ key: FieldKey) -> UnsafeRawBufferPointer {
        let start = fields.start(key)
        return bytes.slice(start, start &+ fields.length(key))
    }

    /// Calls `body` with a string's unescaped text; returns `nil` if the text is not valid.
    func withUnescaped<Result>(_ key: FieldKey, _ body: (UnsafeRawBufferPointer) -> Result?) -> Result? {
        var plain: [UInt8] = []
        guard KeptText.appendUnescaped(text(key), to: &plain) else { return nil }
        return plain.withUnsafeBytes { body($0) }
    }
}
