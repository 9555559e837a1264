/// Makes text that came from elsewhere safe for a log line, a terminal or a page's field.
///
/// Line breaks would forge log lines, control characters would steer terminals, and direction marks would hide what is
/// written. They are written as `\n`, `\t` or `\u{1b}`; everything else stays as it is.
public enum DisplayText {
    /// `text` on one line, cut at `limit` scalars.
    public static func escaped(_ text: some StringProtocol, limit: Int = 200) -> String {
        if text.utf8.count <= limit, text.utf8.allSatisfy({ 0x20..<0x7F ~= $0 }) { return String(text) }
        var output = ""
        var count = 0
        for scalar in text.unicodeScalars {
            guard count < limit else { return output + "…" }
            count += 1
            switch scalar {
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            case _ where scalar.isSteering: output += "\\u{\(String(scalar.value, radix: 16))}"
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output
    }

    /// As ``escaped(_:limit:)``, in quotes.
    public static func quoted(_ text: some StringProtocol, limit: Int = 80) -> String {
        "\"\(escaped(text, limit: limit))\""
    }

    /// As ``escaped(_:limit:)``, with `secret` masked wherever the text repeats it, also when it is cut at the end.
    public static func escaped(_ text: String, hiding secret: Secret, limit: Int = 200) -> String {
        let value = secret.reveal()
        guard !value.isEmpty else { return escaped(text, limit: limit) }
        var shown = ""
        var rest = text[...]
        while let match = rest.utf8.firstRange(of: value.utf8) {
            shown += rest[..<match.lowerBound]
            shown += secret.description
            rest = rest[match.upperBound...]
        }
        for length in stride(from: min(value.utf8.count - 1, rest.utf8.count), through: 4, by: -1)
        where rest.utf8.suffix(length).elementsEqual(value.utf8.prefix(length)) {
            shown += rest[..<rest.utf8.index(rest.endIndex, offsetBy: -length)]
            return escaped(shown + secret.description, limit: limit)
        }
        return escaped(shown + rest, limit: limit)
    }

    /// The first few of `names`, and how many more there are: `AM.A, AM.B and 498 more`.
    public static func list(_ names: some Collection<String>, showing limit: Int = 5) -> String {
        let shown = names.prefix(limit).joined(separator: ", ")
        return names.count > limit ? "\(shown) and \(names.count - limit) more" : shown
    }
}

extension Unicode.Scalar {
    /// Whether it steers a terminal, breaks a line or hides what is written.
    public var isSteering: Bool {
        if isASCII { return value < 0x20 || value == 0x7F }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned: true
        default: false
        }
    }
}
