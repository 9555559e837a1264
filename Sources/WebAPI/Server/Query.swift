import HTTPTypes
import MarketData

/// A request's query, read strictly: an unknown, repeated or malformed parameter is a problem that says what is
/// allowed.
enum Query {
    /// Splits and decodes a query whose parameters must be among `known`.
    static func read(_ text: Substring, known: [String]) throws(Problem) -> [String: String] {
        var values: [String: String] = [:]
        for piece in text.split(separator: "&") {
            let end = piece.firstIndex(of: "=") ?? piece.endIndex
            guard let name = PercentText.decode(piece[..<end], plusIsSpace: true),
                let value = PercentText.decode(piece[end...].dropFirst(), plusIsSpace: true)
            else {
                throw Problem(.badRequest, "The query is not valid percent-encoded UTF-8.")
            }
            guard known.contains(name) else {
                let names = known.isEmpty ? "none" : known.joined(separator: ", ")
                throw .parameter(name, "unknown; the parameters here are: \(names)")
            }
            guard values.updateValue(value, forKey: name) == nil else { throw .parameter(name, "given twice") }
        }
        return values
    }
}
