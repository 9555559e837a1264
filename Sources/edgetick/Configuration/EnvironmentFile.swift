import MarketData

/// A settings file with one `KEY=value` on each line.
///
/// Blank lines and lines that begin with `#` are skipped; `export ` before a key is allowed. ``WrittenValue`` reads
/// what follows the `=`; a value can't span lines. If a key is on several lines, the last one counts.
///
/// A line that can't be read is a fault and isn't skipped, so that a half-written file can't pass for a complete one.
struct EnvironmentFile: Sendable, Equatable, ConcealsContents {
    struct Entry: Sendable, Equatable, ConcealsContents {
        var value: String
        var line: Int
        /// Why the value can't be used; `nil` when it can.
        var fault: String?
    }

    /// The file as the user named it.
    let path: String
    private(set) var entries: [String: Entry] = [:]
    /// A fault without a key for each line that can't be read, and warnings.
    private(set) var findings: [SettingFinding] = []

    /// Reads a file's bytes.
    ///
    /// - Parameter environment: Variables to which values may refer, besides those of earlier lines.
    init(path: String, bytes: [UInt8], environment: [String: String] = [:]) {
        self.path = path
        let lines = ByteOrderMark.dropped(from: bytes).split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            do {
                try read(line.last == UInt8(ascii: "\r") ? line.dropLast() : line, index + 1, environment)
            } catch {
                add(.fault, "", index + 1, error.text)
            }
        }
    }

    private mutating func add(_ severity: Severity, _ key: String, _ line: Int, _ text: String) {
        findings.append(
            SettingFinding(
                severity: severity, key: key, value: nil, origin: .file(path: path, line: line), text: text))
    }

    private mutating func read(
        _ bytes: ArraySlice<UInt8>, _ number: Int, _ environment: [String: String]
    ) throws(SettingRefusal) {
        guard !bytes.contains(0) else {
            throw SettingRefusal("a NUL byte: the file is damaged or not a text file; write it again")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw SettingRefusal("bytes that are not UTF-8: save the file as UTF-8")
        }
        var rest = text[...].trimmingBlanks()
        guard let first = rest.first, first != "#" else { return }
        for blank in [" ", "\t"] where rest.hasPrefix("export" + blank) {
            rest = rest.dropFirst("export".count).trimmingBlanks()
        }
        guard let equals = rest.firstIndex(of: "=") else {
            let colon = rest.firstIndex(of: ":")
            let isYAML = colon.map { Self.isKey(String(rest[..<$0].trimmingBlanks())) } ?? false
            throw SettingRefusal(
                isYAML
                    ? "a `:` where `=` belongs: write KEY=value" : "no `=`: write KEY=value, or # before a comment")
        }
        let key = String(rest[..<equals].trimmingBlanks())
        guard Self.isKey(key) else {
            throw SettingRefusal("the text before `=` is not a key: use letters, digits and underscores")
        }
        let value = try WrittenValue(rest[rest.index(after: equals)...]) { [entries] in
            environment[$0] ?? entries[$0]?.value
        }
        if let earlier = entries[key] {
            add(.warning, key, number, "is already on line \(earlier.line); this line counts")
        }
        for remark in value.remarks { add(.warning, key, number, remark) }
        entries[key] = Entry(value: value.text, line: number, fault: value.fault)
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
}
