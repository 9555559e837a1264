/// A user's choice of symbols: the name of a group (`nasdaq100`), or several names joined by colons
/// (`sp500:nasdaq100:dow30`) for the union of their members.
///
/// A key only says what to look for. Whether the whole text names one group (older set-ups have names with colons
/// such as `market_leaders:top_100`) or each part names its own is decided where the groups are known.
public struct UniverseKey: Hashable, Sendable {
    /// The most parts that a key usually has. More are allowed, but the user is told that there are many.
    public static let customaryParts = 3

    /// The key as written, without the spaces around it: possibly the whole name of one group.
    public let text: String

    /// The names between the colons, in the order written: trimmed, none empty, each once.
    public let parts: [String]

    /// Reads a key; `nil` when the text has only spaces and colons.
    public init?(_ text: some StringProtocol) {
        var parts: [String] = []
        for piece in text.split(separator: ":") {
            let part = UniverseKey.trimmed(piece)
            guard !part.isEmpty, !parts.contains(part) else { continue }
            parts.append(part)
        }
        guard !parts.isEmpty else { return nil }
        self.text = UniverseKey.trimmed(text)
        self.parts = parts
    }

    /// The names that the key may have as a single group: as written, then without spaces around the colons.
    public var wholeNames: [String] {
        let joined = parts.joined(separator: ":")
        return joined == text ? [text] : [text, joined]
    }

    /// Whether a key can mean a group of this name: a key has no blanks at either end, and commas separate keys.
    public static func canMean(_ name: String) -> Bool { UniverseKey(name)?.text == name && !name.contains(",") }

    /// Whether the key has more parts than is customary.
    public var hasManyParts: Bool { parts.count > UniverseKey.customaryParts }

    private static func trimmed(_ text: some StringProtocol) -> String {
        guard let last = text.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(text[...last].drop(while: \.isWhitespace))
    }
}

extension UniverseKey: CustomStringConvertible {
    /// The key as written.
    public var description: String { text }
}
