import MarketData
import SystemPackage

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
            let end = line.lastIndex { $0 != UInt8(ascii: "\r") }
            do {
                try read(end.map { line[...$0] } ?? [], index + 1, environment)
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
        // The value would contain the lines after it, and would be shown with their secrets.
        guard !bytes.contains(UInt8(ascii: "\r")) else {
            throw SettingRefusal("a carriage return within the line: save the file with line feeds (LF or CRLF)")
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

extension EnvironmentFile {
    /// The largest file that is read, far more than any settings need.
    static let maximumBytes = 1 << 20
    /// How long a pipe may be silent: some programs ask a person before they write a secret into one.
    static let patience = Duration.seconds(10)

    /// Reads the file named by `--env-file`, or else `.env` in the working directory. Blocks.
    ///
    /// - Parameter environment: Variables that the file's values may name.
    /// - Returns: `nil` if no file was named and there is no `.env`.
    /// - Throws: ``ConfigurationError`` if the named file is missing, or if a file can't be read.
    static func read(
        named name: String?, environment: [String: String] = [:]
    ) throws(ConfigurationError) -> EnvironmentFile? {
        let path = name ?? ".env"
        let bytes: [UInt8]
        do {
            bytes = try FileContents.bytes(of: path, atMost: maximumBytes, patience: patience)
        } catch is FileContents.TooLarge {
            throw ConfigurationError(
                path: path, text: "larger than 1 MiB, so it can't be a settings file: name another file with --env-file"
            )
        } catch {
            let code = error as? Errno
            if code == .noSuchFileOrDirectory || code == .notDirectory {
                guard name != nil else { return nil }
                throw ConfigurationError(path: path, text: "no such file: correct --env-file or leave it out")
            }
            throw ConfigurationError(
                path: path,
                text: "cannot be read (\(why(error))): make it a file this user may read, or name another with "
                    + "--env-file")
        }
        return EnvironmentFile(path: path, bytes: bytes, environment: environment)
    }

    /// Reads a file that holds one secret. Blocks.
    static func secret(in path: String) -> SettingsSnapshot.SecretFile {
        do {
            let bytes = try FileContents.bytes(of: path, atMost: maximumBytes, patience: patience)
            guard let text = String(validating: ByteOrderMark.dropped(from: bytes), as: UTF8.self) else {
                return .fault("\(path) is not UTF-8 text: save it as UTF-8")
            }
            return .text(text)
        } catch is FileContents.TooLarge {
            return .fault("\(path) is larger than 1 MiB, so it can't be a file with one secret: name another file")
        } catch {
            return .fault("\(path) can't be read (\(why(error))): correct the path, or the file's owner and mode")
        }
    }

    /// Why a file can't be read, in words.
    private static func why(_ error: any Error) -> String {
        guard error is FileContents.Silent else { return "\(error)" }
        return "it is a pipe, and nobody wrote into it for \(Int(patience / .seconds(1))) s"
    }
}
