import HTTPTypes

/// A request's query, read strictly: a parameter that is unknown, repeated or malformed gets a problem that says what is
/// allowed.
struct Query: Sendable {
    private let values: [String: String]

    /// Splits and decodes a query whose parameters must be among `known`.
    init(_ text: Substring?, known: [String]) throws(Problem) {
        var values: [String: String] = [:]
        for piece in (text ?? "").split(separator: "&") {
            let end = piece.firstIndex(of: "=") ?? piece.endIndex
            let name = PercentText.decode(piece[..<end], plusIsSpace: true)
            let value =
                end == piece.endIndex ? "" : PercentText.decode(piece[piece.index(after: end)...], plusIsSpace: true)
            guard let name, let value else {
                throw Problem(.badRequest, "The query is not valid percent-encoded UTF-8.")
            }
            guard known.contains(name) else {
                let names = known.isEmpty ? "none" : known.joined(separator: ", ")
                throw .parameter(name, "unknown; the parameters here are: \(names)")
            }
            guard values.updateValue(value, forKey: name) == nil else { throw .parameter(name, "given twice") }
        }
        self.values = values
    }

    /// A parameter's text, decoded.
    subscript(name: String) -> String? { values[name] }
}

/// Percent-encoding (RFC 3986, section 2.1).
enum PercentText {
    /// The text that is meant; `nil` for a broken sequence or bytes that are no UTF-8.
    static func decode(_ text: Substring, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.next().flatMap(digit), let low = rest.next().flatMap(digit) else { return nil }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(0x20)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
