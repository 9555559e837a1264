import MarketData

/// Secrets that no error may show.
struct SecretTexts: Sendable {
    /// The maximum number of characters of a server's text in an error; the text itself may be a gigabyte.
    static let longest = 2000

    private let texts: [Secret]

    init(_ texts: [String]) {
        // Longest first, so that a secret that contains another is masked whole.
        self.texts = texts.filter { !$0.isEmpty }.sorted { $0.utf8.count > $1.utf8.count }.map(Secret.init)
    }

    /// Returns `text` in one line, with every secret masked and cut to ``longest`` characters.
    func mask(_ text: String) -> String {
        // libpq indents lines with tabs.
        var line = text.split { $0.isNewline || $0 == "\t" }.joined(separator: " ")
        for secret in texts {
            line = line.split(separator: secret.reveal(), omittingEmptySubsequences: false)
                .joined(separator: secret.description)
        }
        let shown = line.unicodeScalars.prefix(Self.longest)
        return shown.endIndex == line.endIndex ? line : String(shown) + "…"
    }
}
