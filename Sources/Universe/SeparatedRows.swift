import MarketData

/// Reads rows of separated values (RFC 4180, with LF or CRLF), each with the line on which it began.
///
/// Implemented here because SwiftCSV needs all of Foundation, gives no line numbers, and gives up a whole file at the
/// first misplaced quote. This reader reports such a row and continues with the line after the row's first. It works on
/// bytes, so that a name column in another encoding does not harm the symbols.
struct SeparatedRows: Sequence, IteratorProtocol {
    enum Row: Equatable {
        case fields([[UInt8]])
        case malformed(String)
    }

    private let bytes: ArraySlice<UInt8>
    /// Whether this program wrote the text: every line is a row, and every byte of a field counts. In the lists of
    /// people and funds, blank lines and comments are not rows, and blanks around fields are ignored.
    private let isArchive: Bool
    private let separator: UInt8
    private var position: Int
    private var line = 1
    /// Set once a quote was not closed, so that a file full of them is still read in one pass.
    private var quotesEndWithLine = false

    /// Which fields of the row read last were quoted.
    private(set) var areQuoted: [Bool] = []
    /// Whether the malformed line that was skipped last had more than one column.
    private(set) var lastLineHasSeparator = false

    init(_ bytes: [UInt8]) {
        self.init(bytes, separator: SeparatedRows.separator(of: bytes))
    }

    /// Reads what `CSVWriter` wrote.
    init(archive bytes: [UInt8]) {
        self.bytes = bytes[...]
        isArchive = true
        separator = UInt8(ascii: ",")
        position = 0
    }

    init(_ bytes: [UInt8], separator: UInt8) {
        let start = SeparatedRows.start(of: bytes)
        self.bytes = bytes[start...]
        isArchive = false
        self.separator = separator
        position = start
        if SeparatedRows.namedSeparator(in: bytes) != nil { skipLine() }
    }

    private static func start(of bytes: [UInt8]) -> Int { ByteOrderMark.dropped(from: bytes).startIndex }

    /// Returns the next row, with the number of its first line. In a list, blank lines and comments are skipped.
    mutating func next() -> (line: Int, row: Row)? {
        while position < bytes.endIndex {
            let start = (position: position, line: line)
            if !isArchive, isBlankOrComment {
                skipLine()
                continue
            }
            do {
                let fields = try readFields()
                if !isArchive, fields.allSatisfy(\.isEmpty) { continue }
                return (start.line, .fields(fields))
            } catch {
                if line > start.line || error == .unclosed { quotesEndWithLine = true }
                (position, line) = start
                skipLine()
                lastLineHasSeparator = bytes[start.position..<position].contains(separator)
                return (start.line, .malformed(error.rawValue))
            }
        }
        return nil
    }

    private var isBlankOrComment: Bool {
        switch bytes[position...].first(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }) {
        case UInt8(ascii: "\n"), UInt8(ascii: "\r"), nil: true
        case UInt8(ascii: "#"): !isSection && !isFormulaFault
        default: false
        }
    }

    /// Whether the line begins with the name of a section, as watch lists have them: `###TECH,NASDAQ:AAPL`.
    private var isSection: Bool {
        let line = bytes[position...].prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        guard line.starts(with: "###".utf8), line.contains(separator), let next = line.dropFirst(3).first else {
            return false
        }
        return !isBlank(next) && next != UInt8(ascii: "#")
    }

    /// Whether the line begins with a spreadsheet's error value, such as `#N/A`.
    private var isFormulaFault: Bool {
        SymbolSpelling.formulaFaults.contains { bytes[position...].starts(with: $0.utf8) }
    }

    private enum Fault: String, Error {
        case unclosed = "a quote is not closed"
        case textAfterQuote = "text follows a closing quote"
    }

    private mutating func readFields() throws(Fault) -> [[UInt8]] {
        var fields: [[UInt8]] = []
        areQuoted.removeAll(keepingCapacity: true)
        while true {
            fields.append(try readField())
            guard position < bytes.endIndex, bytes[position] == separator else { break }
            position += 1
        }
        skipLine()
        return fields
    }

    private mutating func readField() throws(Fault) -> [UInt8] {
        while position < bytes.endIndex, isBlank(bytes[position]) { position += 1 }
        let isQuoted = position < bytes.endIndex && bytes[position] == UInt8(ascii: "\"")
        areQuoted.append(isQuoted)
        if isQuoted { return try readQuoted() }
        let start = position
        while position < bytes.endIndex, !endsField(bytes[position]) { position += 1 }
        var end = position
        while end > start, isBlank(bytes[end - 1]) { end -= 1 }
        return Array(bytes[start..<end])
    }

    private mutating func readQuoted() throws(Fault) -> [UInt8] {
        var value: [UInt8] = []
        position += 1
        while position < bytes.endIndex {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") {
                if position < bytes.endIndex, bytes[position] == byte {
                    position += 1
                } else {
                    while position < bytes.endIndex, isBlank(bytes[position]) { position += 1 }
                    guard position == bytes.endIndex || endsField(bytes[position]) else { throw .textAfterQuote }
                    return value
                }
            } else if byte == UInt8(ascii: "\n") {
                if quotesEndWithLine { throw .unclosed }
                line += 1
            }
            value.append(byte)
        }
        throw .unclosed
    }

    private mutating func skipLine() {
        while position < bytes.endIndex {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\n") || (byte == UInt8(ascii: "\r") && !isLineFeedNext) {
                line += 1
                return
            }
        }
    }

    private var isLineFeedNext: Bool { position < bytes.endIndex && bytes[position] == UInt8(ascii: "\n") }

    /// Whether the byte is ignored beside a field.
    private func isBlank(_ byte: UInt8) -> Bool {
        !isArchive && (byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") && separator != byte)
    }

    private func endsField(_ byte: UInt8) -> Bool {
        byte == separator || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
    }

    /// Returns the separator of the first line that is not a comment: a comma, or else a semicolon, a tab or a bar when
    /// the line has one. Beside one of those, commas between digits are decimal commas.
    static func separator(of bytes: [UInt8]) -> UInt8 {
        if let named = namedSeparator(in: bytes) { return named }
        for line in bytes[start(of: bytes)...].split(whereSeparator: {
            $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r")
        }) {
            guard let first = line.first(where: { $0 != UInt8(ascii: " ") }), first != UInt8(ascii: "#") else {
                continue
            }
            let found = separators.filter(line.contains)
            return found.first { $0 != UInt8(ascii: ",") || found.count == 1 || !hasOnlyDecimalCommas(line) }
                ?? separators[0]
        }
        return separators[0]
    }

    private static func hasOnlyDecimalCommas(_ line: ArraySlice<UInt8>) -> Bool {
        func isDigit(_ place: Int) -> Bool { line.indices.contains(place) && (0x30...0x39).contains(line[place]) }
        return line.indices.allSatisfy {
            line[$0] != UInt8(ascii: ",") || isDigit($0 - 1) && isDigit($0 + 1)
        }
    }

    /// The characters that may separate columns, the likeliest first.
    static let separators = Array(",;\t|".utf8)

    /// The separator that a first line such as `sep=;` names; spreadsheets write and read it.
    private static func namedSeparator(in bytes: [UInt8]) -> UInt8? {
        let line = bytes[start(of: bytes)...].prefix(6)
        guard line.count > 4, line.prefix(4).elementsEqual("sep=".utf8), let separator = line.dropFirst(4).first,
            separators.contains(separator)
        else { return nil }
        return separator
    }
}
