import MarketData

/// Quotes what goes into SQL text.
enum SQLText {
    /// A string constant that is safe with any value of `standard_conforming_strings`.
    ///
    /// A NUL, which no text in PostgreSQL can hold, is escaped: the server refuses the value, not the statement that the
    /// NUL would cut short.
    static func literal(_ text: String) -> String {
        let doubled = text.escaping("'", with: "'")
        guard doubled.utf8.contains(where: { $0 == UInt8(ascii: "\\") || $0 == 0 }) else { return "'\(doubled)'" }
        return " E'" + doubled.escaping("\\", with: "\\").replacing("\0", with: "\\000") + "'"
    }

    /// String constants, as IN lists them.
    static func list(_ texts: [String]) -> String { texts.map(literal).joined(separator: ", ") }

    static func array(_ texts: [String]) -> String { "ARRAY[\(list(texts))]::text[]" }

    /// The moment that is this many milliseconds after the Unix epoch.
    static func moment(_ milliseconds: Int64) -> String { "to_timestamp(\(milliseconds) / 1000.0)" }

    /// The value of an expression for a moment, in milliseconds since the Unix epoch.
    static func milliseconds(of moment: String) -> String { "(extract(epoch FROM \(moment)) * 1000)::bigint" }

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
