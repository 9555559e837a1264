/// A file of settings, one `KEY=value` a line.
///
/// Blank lines and lines that begin with `#` are skipped; `export ` before a key is allowed. A value may stand in
/// single quotes (taken as it is) or double quotes (`\"`, `\\`, `\n`, `\t` are escapes); without quotes it ends before
/// a `#` that follows a space. Nothing is expanded and a value does not go on over the end of a line. The last of
/// several lines for one key counts.
///
/// swift-configuration has a reader for such files too. It leaves lines out that it does not understand and keeps
/// quotes as part of the value, so a half-written file would pass for a complete one; the entries read here are handed
/// to its provider instead.
struct EnvironmentFile: Sendable, Equatable, ConcealsContents {
    struct Entry: Sendable, Equatable, ConcealsContents {
        var value: String
        var line: Int
    }

    /// A remark that does not stop the start; holds no value.
    struct Remark: Sendable, Equatable {
        var line: Int
        var text: String
    }

    /// The file as the user named it.
    let path: String
    private(set) var entries: [String: Entry] = [:]
    private(set) var remarks: [Remark] = []

    /// A file without entries.
    init(path: String) {
        self.path = path
    }

    /// Reads a file's bytes.
    ///
    /// - Throws: ``ConfigurationError`` for the first line at fault, with the number of further ones.
    init(path: String, bytes: [UInt8]) throws(ConfigurationError) {
        self.path = path
        var faults: [(line: Int, text: String)] = []
        let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        var number = 0
        for var line in bytes[start...].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            do {
                try read(line, number)
            } catch {
                faults.append((number, error.text))
            }
        }
        guard let first = faults.first else { return }
        let rest = faults.count > 1 ? " (\(faults.count - 1) more such lines follow)" : ""
        throw ConfigurationError(reason: .malformed, path: path, line: first.line, text: first.text + rest)
    }

    private struct LineFault: Error {
        var text: String
    }

    private mutating func read(_ bytes: ArraySlice<UInt8>, _ number: Int) throws(LineFault) {
        guard !bytes.contains(0) else {
            throw LineFault(text: "a NUL byte: the file is damaged or no text; write it again")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw LineFault(text: "bytes that are no UTF-8: save the file as UTF-8")
        }
        var rest = text[...]
        rest = rest.trimmingBlanks()
        guard let first = rest.first, first != "#" else { return }
        for blank in [" ", "\t"] where rest.hasPrefix("export" + blank) {
            rest = rest.dropFirst("export".count).trimmingBlanks()
        }
        guard let equals = rest.firstIndex(of: "=") else {
            throw LineFault(text: "no `=`: write KEY=value, or # before a comment")
        }
        let key = String(rest[..<equals].trimmingBlanks())
        guard EnvironmentFile.isKey(key) else {
            throw LineFault(text: "what stands before `=` is no key: letters, digits and underscores make one")
        }
        let value = try EnvironmentFile.value(of: rest[rest.index(after: equals)...].trimmingBlanks())
        if let earlier = entries[key] {
            remarks.append(
                Remark(line: number, text: "\(key) stands on line \(earlier.line) already; this line counts"))
        }
        if !value.isLiteral, value.text.contains("${") {
            remarks.append(Remark(line: number, text: "${…} in \(key) is taken as it is; nothing is expanded"))
        }
        entries[key] = Entry(value: value.text, line: number)
    }

    private static func isKey(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"): true
            default: false
            }
        }
    }

    private static func value(of text: Substring) throws(LineFault) -> (text: String, isLiteral: Bool) {
        guard let quote = text.first, quote == "\"" || quote == "'" else {
            return (String(withoutComment(text)), false)
        }
        var value = ""
        var index = text.index(after: text.startIndex)
        while index < text.endIndex, text[index] != quote {
            var character = text[index]
            if quote == "\"", character == "\\", text.index(after: index) < text.endIndex {
                let next = text[text.index(after: index)]
                if let escaped = ["\"": "\"", "\\": "\\", "n": "\n", "t": "\t", "$": "$"][next] as Character? {
                    character = escaped
                    index = text.index(after: index)
                }
            }
            value.append(character)
            index = text.index(after: index)
        }
        guard index < text.endIndex else {
            throw LineFault(text: "a quote is not closed: end the value with \(quote) on the same line")
        }
        let rest = text[text.index(after: index)...].trimmingBlanks()
        guard rest.isEmpty || rest.first == "#" else {
            throw LineFault(text: "text follows the closing quote: put the whole value in quotes")
        }
        return (value, quote == "'")
    }

    private static func withoutComment(_ text: Substring) -> Substring {
        var previous: Character = " "
        for index in text.indices {
            if text[index] == "#", previous == " " || previous == "\t" { return text[..<index].trimmingBlanks() }
            previous = text[index]
        }
        return text
    }
}

extension Substring {
    /// Without the spaces and tabs around it.
    func trimmingBlanks() -> Substring {
        var rest = self
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return rest
    }
}
