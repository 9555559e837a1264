/// Walks the fields of one JSON object, as byte ranges, without decoding them.
enum ObjectFields {
    /// Calls `body` with the key (without quotes) and the raw value of each field, until it returns `false`.
    ///
    /// Returns whether the bytes are one object as far as it was read; it checks nesting and strings, not numbers.
    static func forEach(
        _ object: UnsafeRawBufferPointer, _ body: (_ key: Range<Int>, _ value: Range<Int>) -> Bool
    ) -> Bool {
        var position = skipSpace(object, 0)
        guard position < object.count, object[position] == UInt8(ascii: "{") else { return false }
        position = skipSpace(object, position + 1)
        if position < object.count, object[position] == UInt8(ascii: "}") { return true }
        while position < object.count {
            guard object[position] == UInt8(ascii: "\""), let keyEnd = endOfString(object, position) else {
                return false
            }
            let key = position + 1..<keyEnd - 1
            position = skipSpace(object, keyEnd)
            guard position < object.count, object[position] == UInt8(ascii: ":") else { return false }
            position = skipSpace(object, position + 1)
            guard let valueEnd = endOfValue(object, position) else { return false }
            guard body(key, position..<valueEnd) else { return true }
            position = skipSpace(object, valueEnd)
            guard position < object.count else { return false }
            if object[position] == UInt8(ascii: "}") { return true }
            guard object[position] == UInt8(ascii: ",") else { return false }
            position = skipSpace(object, position + 1)
        }
        return false
    }

    /// Returns the range of a field's raw value, or `nil` when the object has no field of that name.
    static func value(of name: StaticString, in object: UnsafeRawBufferPointer) -> Range<Int>? {
        var found: Range<Int>?
        _ = forEach(object) { key, value in
            guard matches(object, key, name) else { return true }
            found = value
            return false
        }
        return found
    }

    /// Returns the whole number that a field holds, or `nil` when it holds none.
    static func integer(_ name: StaticString, in object: UnsafeRawBufferPointer) -> Int64? {
        value(of: name, in: object).flatMap { integer(object[$0]) }
    }

    /// Parses the bytes as a whole number; returns `nil` when they are anything else or the number is too large.
    static func integer(_ text: Slice<UnsafeRawBufferPointer>) -> Int64? {
        let isNegative = text.first == UInt8(ascii: "-")
        let digits = isNegative ? text.dropFirst() : text
        // 19 digits, which times in nanoseconds have, always fit in 64 bits without a sign.
        guard !digits.isEmpty, digits.count <= 19 else { return nil }
        var value: UInt64 = 0
        for byte in digits {
            let digit = byte &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + UInt64(digit)
        }
        return Int64(exactly: value).map { isNegative ? -$0 : $0 }
    }

    static func matches(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ name: StaticString) -> Bool {
        guard range.count == name.utf8CodeUnitCount else { return false }
        for offset in 0..<range.count where bytes[range.lowerBound + offset] != name.utf8Start[offset] { return false }
        return true
    }

    static func skipSpace(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int {
        var position = start
        while position < bytes.count, isSpace(bytes[position]) { position += 1 }
        return position
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }

    /// Returns the position after a value's last byte, or `nil` when the value doesn't end.
    static func endOfValue(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        guard start < bytes.count else { return nil }
        switch bytes[start] {
        case UInt8(ascii: "\""): return endOfString(bytes, start)
        case UInt8(ascii: "{"), UInt8(ascii: "["): return endOfNesting(bytes, start)
        default:
            var position = start
            while position < bytes.count {
                let byte = bytes[position]
                if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") || isSpace(byte)
                {
                    break
                }
                position += 1
            }
            return position > start ? position : nil
        }
    }

    private static func endOfString(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        var position = start + 1
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") { return position + 1 }
            position += byte == UInt8(ascii: "\\") ? 2 : 1
        }
        return nil
    }

    /// Counts braces and brackets together: a mismatched one is left for the receiver to refuse.
    private static func endOfNesting(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        var depth = 0
        var position = start
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                guard let end = endOfString(bytes, position) else { return nil }
                position = end
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0 { return position + 1 }
            default: break
            }
            position += 1
        }
        return nil
    }
}
