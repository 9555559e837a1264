import MarketData

/// The rules for the names of collectors and connections, which appear in logs, rows of the file and metric labels.
public enum CollectorName {
    /// The most characters of a name.
    public static let maximumLength = 63

    /// Whether a character may be in a name.
    public static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": true
        default: false
        }
    }

    /// Whether a text is a valid name.
    public static func isName(_ text: String) -> Bool {
        (1...maximumLength).contains(text.unicodeScalars.count) && text.unicodeScalars.allSatisfy(isAllowed)
    }

    /// Whether a text is a valid name for a connection, which may have single spaces between words. The names of the
    /// sources that fill gaps are taken, since rows store them in place of a connection's name.
    public static func isConnectionName(_ text: String) -> Bool {
        (1...maximumLength).contains(text.unicodeScalars.count)
            && text.split(separator: " ", omittingEmptySubsequences: false).allSatisfy { isName(String($0)) }
            && EventSource(rawValue: text) ?? .stream == .stream
    }
}
