extension StringProtocol {
    /// The text with `escape` before every `scalar`, also where it is part of a larger grapheme: those who read quoted
    /// text (SQL, CSV, a log) look at bytes, and a combining mark or a prepended letter must not hide a quote from it.
    public func escaping(_ scalar: Unicode.Scalar, with escape: Unicode.Scalar) -> String {
        var result = String.UnicodeScalarView()
        for next in unicodeScalars {
            if next == scalar { result.append(escape) }
            result.append(next)
        }
        return String(result)
    }
}
