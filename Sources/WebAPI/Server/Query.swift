import HTTPTypes
import MarketData

/// A request's query, read strictly: an unknown, repeated or malformed parameter is a problem that says what is
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
