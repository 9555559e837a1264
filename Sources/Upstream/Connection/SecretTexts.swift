import MarketData

/// Texts that no error may show.
struct SecretTexts: Sendable {
    /// The most characters that an error has of a server's text, which may be a gigabyte.
    static let longest = 2000

    private let texts: [Secret]

    init(_ texts: [String]) {
        // The longest first, so that one which contains another is masked whole.
        self.texts = texts.filter { !$0.isEmpty }.sorted { $0.utf8.count > $1.utf8.count }.map(Secret.init)
    }

    /// `text` in one line, with every secret masked, cut where it is very long.
    func mask(_ text: String) -> String {
        // libpq sets lines in with tabs.
        var line = text.split { $0.isNewline || $0 == "\t" }.joined(separator: " ")
        for secret in texts {
            line = line.split(separator: secret.reveal(), omittingEmptySubsequences: false)
                .joined(separator: secret.description)
        }
        let shown = line.unicodeScalars.prefix(Self.longest)
        return shown.endIndex == line.endIndex ? line : String(shown) + "…"
    }
}
