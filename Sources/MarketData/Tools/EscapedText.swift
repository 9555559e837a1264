extension StringProtocol {
    /// Returns the text with `escape` before every `scalar`, also where it is part of a larger grapheme. Readers of
    /// quoted text (SQL, CSV, a log) look at bytes, so a combining mark or a prepended letter must not hide a quote.
    public func escaping(_ scalar: Unicode.Scalar, with escape: Unicode.Scalar) -> String {
        var result = String.UnicodeScalarView()
        for next in unicodeScalars {
            if next == scalar { result.append(escape) }
            result.append(next)
        }
        return String(result)
    }

    /// Returns the text for a path or URL: everything but ASCII letters, digits and `kept` is written like `%2F`.
    public func percentEncoded(keeping kept: StaticString = "") -> String {
        let plain = Set(kept.withUTF8Buffer { Array($0) })
        return utf8.map { byte in
            let character = Character(UnicodeScalar(byte))
            let isPlain = character.isASCII && (character.isLetter || character.isNumber) || plain.contains(byte)
            return isPlain ? String(character) : (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
        }.joined()
    }
}
