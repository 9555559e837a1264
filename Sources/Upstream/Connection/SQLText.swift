import MarketData

/// Quotes what goes into SQL text.
enum SQLText {
    /// A string constant that is safe with any value of `standard_conforming_strings`.
    static func literal(_ text: String) -> String {
        let doubled = text.escaping("'", with: "'")
        guard doubled.utf8.contains(UInt8(ascii: "\\")) else { return "'\(doubled)'" }
        return " E'" + doubled.escaping("\\", with: "\\") + "'"
    }

    static func array(_ texts: [String]) -> String { "ARRAY[\(texts.map(literal).joined(separator: ", "))]::text[]" }

    /// A name as people write it, in quotes only if it needs them.
    static func name(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
        return isPlain && text.first?.isNumber == false ? text : identifier(text)
    }

    static func identifier(_ text: String) -> String { "\"" + text.escaping("\"", with: "\"") + "\"" }
}

extension RandomAccessCollection where Index == Int {
    /// The elements in parts of at most `size`, each for one statement.
    func parts(of size: Int) -> [SubSequence] {
        stride(from: startIndex, to: endIndex, by: size).map { self[$0..<Swift.min($0 + size, endIndex)] }
    }
}
