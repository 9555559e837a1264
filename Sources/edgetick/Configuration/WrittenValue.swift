/// A value as written in a settings file: quoted or not, possibly with a comment after it and references to variables.
///
/// Between double quotes, `\"`, `\\`, `\n`, `\t` and `\$` are escapes; between single quotes and backticks, everything
/// is literal. Without quotes, the value ends before a `#` that follows a blank, and a final `;` is dropped. Outside
/// single quotes and backticks, `${NAME}`, `${NAME:-otherwise}` and `$NAME` stand for variables that are set.
struct WrittenValue: ConcealsContents {
    private(set) var text = ""
    /// Remarks about what was not taken literally, in case that was not intended; contain no values.
    private(set) var remarks: [String] = []
    /// Why the value can't be used although the line is well-formed; `nil` if it can.
    private(set) var fault: String?

    /// Reads the text after the `=`.
    ///
    /// - Parameter variables: Looks up a variable; `nil` turns substitution off.
    /// - Throws: ``SettingRefusal`` for a quote that isn't closed, or text after one that is.
    init(_ written: Substring, variables: ((String) -> String?)?) throws(SettingRefusal) {
        let written = written.trimmingBlanks()
        guard let quote = written.first, "\"'`".contains(quote) else {
            var bare = Self.withoutComment(written)
            if bare.last == ";" {
                bare = bare.dropLast().trimmingBlanks()
                remarks.append("the ; at the end is left out")
            }
            put(bare, variables)
            return
        }
        let content = try Self.quoted(written, quote)
        if quote == "\"" { put(content, variables, escapes: true) } else { text = String(content) }
    }

    /// Returns the text written in such a way that it is read back unchanged.
    static func written(_ text: String) -> String {
        let isPlain = text.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_", "-", ".", ",", ":", "/", "@", "%", "+", "=", "?", "&": true
            default: false
            }
        }
        if isPlain, !text.isEmpty { return text }
        guard text.contains("'") else { return "'\(text)'" }
        let escaped = text.flatMap { "\"\\$".contains($0) ? "\\\($0)" : "\($0)" }
        return "\"\(String(escaped))\""
    }

    /// Returns the text between the quotes.
    private static func quoted(_ written: Substring, _ quote: Character) throws(SettingRefusal) -> Substring {
        let start = written.index(after: written.startIndex)
        var index = start
        while index < written.endIndex, written[index] != quote {
            if quote == "\"", written[index] == "\\", written.index(after: index) < written.endIndex {
                index = written.index(after: index)
            }
            index = written.index(after: index)
        }
        guard index < written.endIndex else {
            throw SettingRefusal("a quote is not closed: end the value with \(quote) on the same line")
        }
        let rest = written[written.index(after: index)...].trimmingBlanks()
        guard rest.isEmpty || rest.first == "#" || rest == ";" else {
            throw SettingRefusal("text follows the closing quote: put the whole value in quotes")
        }
        return written[start..<index]
    }

    private static func withoutComment(_ text: Substring) -> Substring {
        var previous: Character = " "
        for index in text.indices {
            if text[index] == "#", previous == " " || previous == "\t" { return text[..<index].trimmingBlanks() }
            previous = text[index]
        }
        return text
    }

    /// Appends `content` with its escapes and references resolved.
    private mutating func put(_ content: Substring, _ variables: ((String) -> String?)?, escapes: Bool = false) {
        var rest = content
        while let character = rest.first {
            if escapes, character == "\\", let next = rest.dropFirst().first,
                let escaped = ["\"": "\"", "\\": "\\", "n": "\n", "t": "\t", "$": "$"][next] as Character?
            {
                text.append(escaped)
                rest = rest.dropFirst(2)
            } else if character == "$", let variables, let reference = Reference(rest) {
                put(reference, isAll: reference.written.count == content.count, variables)
                rest = rest.dropFirst(reference.written.count)
            } else {
                text.append(character)
                rest = rest.dropFirst()
            }
        }
    }

    private mutating func put(_ reference: Reference, isAll: Bool, _ variables: (String) -> String?) {
        if let value = variables(reference.name) {
            // Tell the user: the value may be a password that happens to contain a $.
            if !reference.isBraced {
                remarks.append("the variable after $ is replaced by its value; single quotes keep the $")
            }
            return text += value
        }
        if let otherwise = reference.otherwise { return text += otherwise }
        text += reference.written
        if reference.isBraced || isAll {
            fault =
                "it refers to a variable that neither the environment nor a line above sets: set that, or put the value in "
                + "single quotes"
        } else {
            remarks.append("the $ in it is followed by no known variable and is kept; single quotes make that clear")
        }
    }

    /// A variable named in a value.
    private struct Reference {
        var written: Substring
        var name: String
        var otherwise: Substring?
        var isBraced: Bool

        /// Reads a reference at the beginning of a text; `nil` if there is none.
        init?(_ text: Substring) {
            let rest = text.dropFirst()
            isBraced = rest.first == "{"
            guard isBraced else {
                // Without braces, only capitals count as a name: a $ before small letters or digits is more likely part
                // of a password.
                let name = rest.prefix { $0 == "_" || $0.isASCII && ($0.isUppercase || $0.isNumber) }
                guard let first = name.first, !first.isNumber else { return nil }
                self.name = String(name)
                written = text.prefix(name.count + 1)
                return
            }
            guard let end = rest.firstIndex(of: "}") else { return nil }
            let content = rest[rest.index(after: rest.startIndex)..<end]
            let name = content.prefix { $0 == "_" || $0.isASCII && ($0.isLetter || $0.isNumber) }
            let suffix = content.dropFirst(name.count)
            guard !name.isEmpty, suffix.isEmpty || suffix.hasPrefix(":-") || suffix.hasPrefix("-") else { return nil }
            if !suffix.isEmpty { otherwise = suffix.drop { $0 == ":" }.dropFirst() }
            self.name = String(name)
            written = text[...end]
        }
    }
}

extension Substring {
    /// The text without the spaces and tabs around it.
    func trimmingBlanks() -> Substring {
        var rest = self
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return rest
    }
}
