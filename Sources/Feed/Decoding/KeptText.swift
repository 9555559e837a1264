/// Undoes the escapes of JSON strings.
enum KeptText {
    /// Appends a string's unescaped text to `output`; ``JSONScan`` has already checked the escapes. Returns whether the
    /// text is valid: UTF-8, with surrogates in pairs only. Part of an invalid text may remain in `output`.
    static func appendUnescaped(_ text: UnsafeRawBufferPointer, to output: inout [UInt8]) -> Bool {
        var place = 0
        while place < text.count {
            var end = place
            while end < text.count, text[end] != UInt8(ascii: "\\") { end &+= 1 }
            let run = UnsafeRawBufferPointer(rebasing: text[place..<end])
            guard UTF8Check.isValid(run) else { return false }
            output.append(contentsOf: run)
            place = end
            guard place &+ 1 < text.count else { return place == text.count }
            let letter = text[place &+ 1]
            place &+= 2
            switch letter {
            case UInt8(ascii: "b"): output.append(0x08)
            case UInt8(ascii: "f"): output.append(0x0C)
            case UInt8(ascii: "n"): output.append(0x0A)
            case UInt8(ascii: "r"): output.append(0x0D)
            case UInt8(ascii: "t"): output.append(0x09)
            case UInt8(ascii: "u"):
                guard let scalar = unicodeEscape(text, &place) else { return false }
                output.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)
            default: output.append(letter)
            }
        }
        return true
    }

    /// The scalar of one `\uXXXX`, or of two that form a surrogate pair. `place` starts after the first `u` and is
    /// moved past the escape.
    private static func unicodeEscape(_ text: UnsafeRawBufferPointer, _ place: inout Int) -> Unicode.Scalar? {
        guard let first = fourHexDigits(text, place) else { return nil }
        place &+= 4
        guard first & 0xFC00 == 0xD800 else { return Unicode.Scalar(first) }
        guard place &+ 6 <= text.count, text[place] == UInt8(ascii: "\\"), text[place &+ 1] == UInt8(ascii: "u"),
            let second = fourHexDigits(text, place &+ 2), second & 0xFC00 == 0xDC00
        else { return nil }
        place &+= 6
        return Unicode.Scalar(0x10000 + (first & 0x3FF) << 10 + (second & 0x3FF))
    }

    private static func fourHexDigits(_ text: UnsafeRawBufferPointer, _ start: Int) -> UInt32? {
        guard start &+ 4 <= text.count else { return nil }
        var value: UInt32 = 0
        for place in start..<start &+ 4 {
            guard let digit = hexValue(text[place]) else { return nil }
            value = value &<< 4 | digit
        }
        return value
    }

    /// The value of a hexadecimal digit; `nil` for any other byte.
    static func hexValue(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte &- UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte &- UInt8(ascii: "a") &+ 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte &- UInt8(ascii: "A") &+ 10)
        default: nil
        }
    }
}
