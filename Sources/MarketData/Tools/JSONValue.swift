/// A JSON document of any shape, for content that is searched or compared: whitespace, the order of keys and the form
/// of numbers make no difference.
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    /// When a key occurs twice, the last value counts.
    case object([String: JSONValue])

    /// How deeply arrays and objects may be nested.
    public static let maximumDepth = 64

    /// Reads a document as RFC 8259 defines it; `nil` for anything else, or when nested deeper than ``maximumDepth``.
    public init?(parsing text: String) {
        var text = text
        let document = text.withUTF8 { bytes in
            var reader = Reader(bytes: bytes)
            return reader.document()
        }
        guard let document else { return nil }
        self = document
    }

    /// The document without whitespace, its keys sorted.
    public var text: String {
        switch self {
        case .null: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .number(let value): return value.isFinite ? DecimalText.string(value) : "null"
        case .string(let value): return JSONString.quoted(value)
        case .array(let values): return "[\(values.map(\.text).joined(separator: ","))]"
        case .object(let members):
            let pairs = members.sorted { $0.key < $1.key }.map { "\(JSONString.quoted($0.key)):\($0.value.text)" }
            return "{\(pairs.joined(separator: ","))}"
        }
    }
}

extension JSONValue {
    /// Reads the bytes from front to back; every method consumes what it reads.
    private struct Reader {
        let bytes: UnsafeBufferPointer<UInt8>
        fileprivate var place = 0

        mutating func document() -> JSONValue? {
            guard let value = value(depth: 0), next() == nil else { return nil }
            return value
        }

        /// The next byte that is not whitespace, without consuming it.
        private mutating func next() -> UInt8? {
            while place < bytes.count {
                switch bytes[place] {
                case 0x20, 0x09, 0x0A, 0x0D: place += 1
                case let byte: return byte
                }
            }
            return nil
        }

        /// Consumes a byte if it comes next.
        private mutating func takes(_ byte: Unicode.Scalar) -> Bool {
            guard next() == UInt8(ascii: byte) else { return false }
            place += 1
            return true
        }

        private mutating func value(depth: Int) -> JSONValue? {
            switch next() {
            case UInt8(ascii: "n"): word("null") ? .null : nil
            case UInt8(ascii: "t"): word("true") ? .bool(true) : nil
            case UInt8(ascii: "f"): word("false") ? .bool(false) : nil
            case UInt8(ascii: "\""): string().map { .string($0) }
            case UInt8(ascii: "["): depth < maximumDepth ? array(depth: depth + 1) : nil
            case UInt8(ascii: "{"): depth < maximumDepth ? object(depth: depth + 1) : nil
            default: number().map { .number($0) }
            }
        }

        private mutating func word(_ text: StaticString) -> Bool {
            let expected = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
            guard bytes[place...].starts(with: expected) else { return false }
            place += expected.count
            return true
        }

        private mutating func array(depth: Int) -> JSONValue? {
            place += 1
            var values: [JSONValue] = []
            if takes("]") { return .array(values) }
            repeat {
                guard let value = value(depth: depth) else { return nil }
                values.append(value)
            } while takes(",")
            return takes("]") ? .array(values) : nil
        }

        private mutating func object(depth: Int) -> JSONValue? {
            place += 1
            var members: [String: JSONValue] = [:]
            if takes("}") { return .object(members) }
            repeat {
                guard next() == UInt8(ascii: "\""), let key = string(), takes(":"), let value = value(depth: depth)
                else { return nil }
                members[key] = value
            } while takes(",")
            return takes("}") ? .object(members) : nil
        }

        private mutating func number() -> Double? {
            let start = place
            if byte == UInt8(ascii: "-") { place += 1 }
            let isZero = byte == UInt8(ascii: "0")
            let whole = digits()
            guard whole > 0, !isZero || whole == 1 else { return nil }
            if byte == UInt8(ascii: ".") {
                place += 1
                guard digits() > 0 else { return nil }
            }
            if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
                place += 1
                if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { place += 1 }
                guard digits() > 0 else { return nil }
            }
            let value = Double(String(decoding: bytes[start..<place], as: UTF8.self))
            return value.flatMap { $0.isFinite ? $0 : nil }
        }

        private var byte: UInt8? { place < bytes.count ? bytes[place] : nil }

        private mutating func digits() -> Int {
            let start = place
            while let byte, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte { place += 1 }
            return place - start
        }

        private mutating func string() -> String? {
            place += 1
            var output: [UInt8] = []
            while let byte {
                place += 1
                switch byte {
                case UInt8(ascii: "\""): return String(decoding: output, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard let scalar = escape() else { return nil }
                    output += String(scalar).utf8
                case ..<0x20: return nil
                default: output.append(byte)
                }
            }
            return nil
        }

        /// Reads what follows a backslash.
        private mutating func escape() -> Unicode.Scalar? {
            guard let byte else { return nil }
            place += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
            case UInt8(ascii: "b"): return "\u{8}"
            case UInt8(ascii: "f"): return "\u{c}"
            case UInt8(ascii: "n"): return "\n"
            case UInt8(ascii: "r"): return "\r"
            case UInt8(ascii: "t"): return "\t"
            case UInt8(ascii: "u"):
                guard let unit = unit() else { return nil }
                guard 0xD800..<0xDC00 ~= unit else { return Unicode.Scalar(unit) }
                guard word("\\u"), let low = self.unit(), 0xDC00..<0xE000 ~= low else { return nil }
                return Unicode.Scalar(0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00))
            default: return nil
            }
        }

        /// Reads four hexadecimal digits.
        private mutating func unit() -> UInt16? {
            var value: UInt16 = 0
            for _ in 0..<4 {
                guard let byte, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
                value = value << 4 + UInt16(digit)
                place += 1
            }
            return value
        }
    }
}
