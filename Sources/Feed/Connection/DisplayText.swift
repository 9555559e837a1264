import MarketData

/// Makes text that came from elsewhere safe for a log line, a terminal or a page's field.
enum DisplayText {
    /// `text` with everything but printable ASCII and letters of other scripts written as `\u{…}`, cut at `limit`
    /// characters.
    ///
    /// Line breaks would forge log lines, escape sequences drive terminals, and direction marks hide what is written.
    static func escaped(_ text: some StringProtocol, limit: Int = 200) -> String {
        var output = ""
        var count = 0
        for scalar in text.unicodeScalars {
            guard count < limit else { return output + "…" }
            count += 1
            let isPlain = scalar.isASCII ? scalar.value >= 0x20 && scalar.value != 0x7F : scalar.properties.isAlphabetic
            if isPlain {
                output.unicodeScalars.append(scalar)
            } else {
                output += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return output
    }

    /// As ``escaped(_:limit:)``, and with `secret` masked wherever the text repeats it, also where the text ends in
    /// the middle of it.
    static func escaped(_ text: String, hiding secret: Secret, limit: Int = 200) -> String {
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

    /// `text` without the places in source files that BoringSSL adds to its errors (` at /path/file.cc:123`): they are
    /// paths of the machine that built the program.
    static func withoutSourcePlaces(_ text: String) -> String {
        var shown = ""
        var rest = text[...]
        while let match = rest.utf8.firstRange(of: " at /".utf8) {
            shown += rest[..<match.lowerBound]
            rest = rest[match.upperBound...].drop { !"])},;\n".contains($0) }
        }
        return shown + rest
    }

    /// The first few of `names` and how many there are in all: `AM.A, AM.B and 498 more`.
    static func list(_ names: some Collection<String>, showing limit: Int = 5) -> String {
        let shown = names.prefix(limit).joined(separator: ", ")
        return names.count > limit ? "\(shown) and \(names.count - limit) more" : shown
    }
}
