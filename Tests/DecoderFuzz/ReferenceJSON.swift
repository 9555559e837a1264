/// A plain reader of JSON text by the grammar of RFC 8259, for comparing: slow, recursive, byte by byte.
public indirect enum ReferenceJSON {
    /// Names in the order of the text; `nil` for one that is no valid text.
    case object([(name: [UInt8]?, value: ReferenceJSON)])
    /// The elements.
    case array([ReferenceJSON])
    /// The text's bytes; `nil` when the escapes or bytes are no valid text.
    case string([UInt8]?)
    /// The number as it is written.
    case number(String)
    /// `true` or `false`.
    case bool(Bool)
    /// `null`.
    case null

    /// Reads the whole of a text; `nil` when it is not JSON, or nested deeper than `depth`.
    public static func read(_ bytes: ArraySlice<UInt8>, depth: Int) -> ReferenceJSON? {
        var reader = ReferenceReader(bytes)
        reader.space()
        guard let value = reader.value(depth: depth) else { return nil }
        reader.space()
        return reader.place == reader.bytes.endIndex ? value : nil
    }

    /// Reads the value that the bytes begin with, and answers how many bytes it takes.
    public static func prefix(_ bytes: ArraySlice<UInt8>, depth: Int) -> (value: ReferenceJSON, length: Int)? {
        var reader = ReferenceReader(bytes)
        guard let value = reader.value(depth: depth) else { return nil }
        return (value, reader.place - bytes.startIndex)
    }
}

private struct ReferenceReader {
    let bytes: ArraySlice<UInt8>
    var place: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        place = bytes.startIndex
    }

    var next: Unicode.Scalar? { place < bytes.endIndex ? Unicode.Scalar(bytes[place]) : nil }

    mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        place += 1
        return true
    }

    mutating func take(word: String) -> Bool { word.unicodeScalars.allSatisfy { take($0) } }

    mutating func space() {
        while let scalar = next, scalar == " " || scalar == "\n" || scalar == "\r" || scalar == "\t" { place += 1 }
    }

    mutating func value(depth: Int) -> ReferenceJSON? {
        switch next {
        case "{": return depth > 0 ? object(depth: depth - 1) : nil
        case "[": return depth > 0 ? array(depth: depth - 1) : nil
        case "\"": return string().map { .string($0) }
        case "t": return take(word: "true") ? .bool(true) : nil
        case "f": return take(word: "false") ? .bool(false) : nil
        case "n": return take(word: "null") ? .null : nil
        default: return number()
        }
    }

    mutating func object(depth: Int) -> ReferenceJSON? {
        var fields: [(name: [UInt8]?, value: ReferenceJSON)] = []
        _ = take("{")
        space()
        if take("}") { return .object([]) }
        repeat {
            space()
            guard let name = string() else { return nil }
            space()
            guard take(":") else { return nil }
            space()
            guard let value = value(depth: depth) else { return nil }
            fields.append((name, value))
            space()
        } while take(",")
        return take("}") ? .object(fields) : nil
    }

    mutating func array(depth: Int) -> ReferenceJSON? {
        var values: [ReferenceJSON] = []
        _ = take("[")
        space()
        if take("]") { return .array([]) }
        repeat {
            space()
            guard let value = value(depth: depth) else { return nil }
            values.append(value)
            space()
        } while take(",")
        return take("]") ? .array(values) : nil
    }

    /// The outer `nil` is no string, the inner one a string that is no valid text.
    mutating func string() -> [UInt8]?? {
        guard take("\"") else { return .none }
        var units: [UInt8] = []
        var pending: UInt32?
        var isText = true
        while place < bytes.endIndex {
            let byte = bytes[place]
            place += 1
            var escape: UInt32?
            switch Unicode.Scalar(byte) {
            case "\"":
                isText = isText && pending == nil && String(validating: units, as: UTF8.self) != nil
                return .some(isText ? units : nil)
            case "\\":
                guard let letter = next else { return .none }
                place += 1
                switch letter {
                case "\"", "\\", "/": units.append(UInt8(ascii: letter))
                case "b": units.append(8)
                case "f": units.append(12)
                case "n": units.append(10)
                case "r": units.append(13)
                case "t": units.append(9)
                case "u":
                    guard place + 4 <= bytes.endIndex, bytes[place..<place + 4].allSatisfy({ isHex($0) }) else {
                        return .none
                    }
                    escape = UInt32(String(decoding: bytes[place..<place + 4], as: UTF8.self), radix: 16)
                    place += 4
                default: return .none
                }
            default:
                guard byte >= 0x20 else { return .none }
                units.append(byte)
            }
            switch (pending, escape) {
            case (nil, nil): break
            case (nil, let unit?) where (0xD800...0xDBFF).contains(unit): pending = unit
            case (nil, let unit?):
                if let scalar = Unicode.Scalar(unit) { units += Array(String(scalar).utf8) } else { isText = false }
            case (let high?, let low?) where (0xDC00...0xDFFF).contains(low):
                let scalar = Unicode.Scalar(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))!
                units += Array(String(scalar).utf8)
                pending = nil
            default:
                isText = false
                pending = nil
            }
        }
        return .none
    }

    private func isHex(_ byte: UInt8) -> Bool { Character(Unicode.Scalar(byte)).isHexDigit && byte < 0x80 }

    mutating func number() -> ReferenceJSON? {
        let start = place
        _ = take("-")
        if !take("0") {
            guard digits() else { return nil }
        }
        if take(".") {
            guard digits() else { return nil }
        }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard digits() else { return nil }
        }
        return .number(String(decoding: bytes[start..<place], as: UTF8.self))
    }

    private mutating func digits() -> Bool {
        let start = place
        while let scalar = next, ("0"..."9").contains(scalar) { place += 1 }
        return place > start
    }
}
