import HTTPTypes
import MarketData
import Universe

/// A request's query, read strictly: a parameter that is unknown, repeated or malformed is answered with what is allowed.
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

    /// A text; `nil` when absent or empty.
    func text(_ name: String) -> String? {
        values[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A whole number in a range.
    func number(_ name: String, in range: ClosedRange<Int>, default standard: Int) throws(Problem) -> Int {
        guard let text = text(name) else { return standard }
        guard let number = Int(text), range.contains(number) else {
            throw .parameter(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A symbol.
    func symbol(_ name: String) throws(Problem) -> Symbol? {
        guard let text = text(name) else { return nil }
        guard let symbol = Symbol(spelled: text) else { throw .parameter(name, "is no symbol the feed could send") }
        return symbol
    }

    /// A comma list of symbols.
    func symbols(_ name: String, atMost limit: Int) throws(Problem) -> Set<Symbol> {
        var symbols: Set<Symbol> = []
        for piece in (text(name) ?? "").split(separator: ",") {
            guard let symbol = Symbol(spelled: String(piece)) else { throw .parameter(name, "holds what is no symbol") }
            symbols.insert(symbol)
        }
        guard symbols.count <= limit else { throw .parameter(name, "takes at most \(limit) symbols") }
        return symbols
    }

    /// A comma list of words of an enumeration.
    func words<Word: RawRepresentable & CaseIterable & Hashable>(
        _ name: String, of type: Word.Type
    ) throws(Problem) -> Set<Word> where Word.RawValue == String {
        var words: Set<Word> = []
        for piece in (text(name) ?? "").split(separator: ",") {
            guard let word = Word(rawValue: String(piece)) else {
                throw .parameter(name, "must be of: " + Word.allCases.map(\.rawValue).joined(separator: ", "))
            }
            words.insert(word)
        }
        return words
    }

    /// A time, in milliseconds since the Unix epoch: Unix seconds, or ISO 8601 with a zone.
    func time(_ name: String) throws(Problem) -> Int64? {
        guard let text = text(name) else { return nil }
        guard let time = MomentParameter.milliseconds(text) else {
            throw .parameter(name, "must be Unix seconds or a time as 2026-01-05T14:30:00Z")
        }
        return time
    }
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
