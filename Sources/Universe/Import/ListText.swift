import MarketData

/// The text of a list as UTF-8, whatever form the file came in. Pure.
enum ListText {
    /// The largest text that is read; the directory of all exchanges takes a tenth of it. Rows are held in memory while
    /// they are read, and take many times as much. A file of ticks that is given by mistake must not exhaust the
    /// machine.
    static let maximumBytes = 16 << 20

    /// Returns a file's bytes as separated text: UTF-16 decoded, a workbook's rows, or an array's entries.
    ///
    /// - Parameter otherSheets: receives the names of a workbook's other lists, which are not read.
    /// - Throws: ``SymbolListError`` when the bytes are not text, are too many, or are a workbook that can't be read.
    static func separated(_ bytes: [UInt8], otherSheets: inout [String]) throws(SymbolListError) -> [UInt8] {
        if Workbook.isWorkbook(bytes) {
            do {
                return try Workbook.holdings(of: bytes, others: &otherSheets)
            } catch {
                throw SymbolListError("the workbook can't be read: \(error.text)")
            }
        }
        if let other = others.first(where: { bytes.starts(with: $0.mark) }) {
            throw SymbolListError("the file is \(other.what)")
        }
        if bytes.first(where: { !blanks.contains($0) }) == UInt8(ascii: "<") {
            throw SymbolListError(
                "the file is a web page or an XML document, not a list: save it as .xlsx or as CSV in UTF-8")
        }
        guard bytes.count <= maximumBytes else {
            throw SymbolListError(
                "the file has \(bytes.count >> 20) MiB, more than any list of symbols: check that it is the right one, "
                    + "or import it in parts")
        }
        let text = utf16(bytes) ?? bytes
        // White space and the old mark of a text's end (0x1A) may be in a text. Other control characters mean that it
        // is not one.
        guard !text.contains(where: { $0 < 0x20 && !(0x09...0x0D).contains($0) && $0 != 0x1A }) else {
            throw SymbolListError("the file is not UTF-8 text: save it as CSV in UTF-8")
        }
        if let list = array(text) { return list }
        if let line = tooLongLine(in: text) {
            throw SymbolListError(
                "line \(line) is longer than \(maximumLineBytes >> 10) KiB, so it is no row of a list: check that the "
                    + "file is the right one")
        }
        return text
    }

    /// The longest line that is read, which is room for all symbols that there are. A row is looked at again and again
    /// to find out what it is.
    private static let maximumLineBytes = 256 << 10

    /// The number, from 1, of the first line that is too long.
    private static func tooLongLine(in text: [UInt8]) -> Int? {
        var (line, start) = (1, 0)
        for (place, byte) in text.enumerated() where byte == 0x0A || byte == 0x0D {
            if place - start > maximumLineBytes { return line }
            if byte == 0x0A || place + 1 == text.count || text[place + 1] != 0x0A { line += 1 }
            start = place + 1
        }
        return text.count - start > maximumLineBytes ? line : nil
    }

    /// The bytes of a byte order mark, and the white space that may precede a text.
    static let blanks: Set<UInt8> = [0xEF, 0xBB, 0xBF, 0x20, 0x0A, 0x0D, 0x09]

    /// Other files that people take for a list, by their first bytes, and what to do about each.
    private static let others: [(mark: [UInt8], what: String)] = [
        (
            [0xD0, 0xCF, 0x11, 0xE0],
            "a workbook in the old format (.xls) or with a password: save it as .xlsx without one, or as CSV in UTF-8"
        ),
        (Array("%PDF-".utf8), "a PDF document: save its table as .xlsx or as CSV in UTF-8"),
        ([0x1F, 0x8B], "compressed (gzip): unpack it first"),
        (Array("BZh".utf8), "compressed (bzip2): unpack it first"),
        ([0xFD] + Array("7zXZ".utf8), "compressed (xz): unpack it first"),
        (Array("7z".utf8) + [0xBC, 0xAF], "an archive (7z): unpack it first"),
    ]

    private static func utf16(_ bytes: [UInt8]) -> [UInt8]? {
        let isLittle = bytes.starts(with: [0xFF, 0xFE])
        guard isLittle || bytes.starts(with: [0xFE, 0xFF]), bytes.count % 2 == 0 else { return nil }
        let units = stride(from: 2, to: bytes.count, by: 2).map { place in
            let (first, second) = (UInt16(bytes[place]), UInt16(bytes[place + 1]))
            return isLittle ? second << 8 | first : first << 8 | second
        }
        return Array(String(decoding: units, as: UTF16.self).utf8)
    }

    /// The entries of a JSON array or a Python list, one per line.
    private static func array(_ bytes: [UInt8]) -> [UInt8]? {
        let list = bytes.drop(while: blanks.contains)
        guard list.first == UInt8(ascii: "[") else { return nil }
        let text = String(decoding: list, as: UTF8.self)
        guard case .array(let items)? = JSONValue(parsing: text) ?? JSONValue(parsing: text.replacing("'", with: "\""))
        else { return nil }
        var lines = SeparatedText()
        for item in items {
            for cell in cells(item) { lines.add(cell, at: lines.column) }
            lines.endRow()
        }
        return lines.bytes
    }

    private static func cells(_ item: JSONValue) -> [String] {
        guard case .object(let fields) = item else {
            if case .string(let text) = item { return [text] }
            return [item.text]
        }
        let named = Dictionary(fields.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { first, _ in first })
        guard case .string(let symbol)? = named["ticker"] ?? named["symbol"] else { return [item.text] }
        return switch named["weight"] {
        case .number(let weight)?: [symbol, "\(weight)"]
        case .string(let weight)?: [symbol, weight]
        default: [symbol]
        }
    }
}

/// Cells as separated text: one line per row, whatever is in its cells.
struct SeparatedText {
    private(set) var bytes: [UInt8] = []
    /// The column after the row's last cell, from 0.
    private(set) var column = 0

    /// Adds a cell to the row; columns that were skipped before it stay empty.
    mutating func add(_ cell: String, at place: Int) {
        for _ in 0..<place - max(column, 1) + 1 { bytes.append(UInt8(ascii: ",")) }
        column = place + 1
        guard !cell.isEmpty else { return }
        bytes.append(UInt8(ascii: "\""))
        for byte in cell.utf8 {
            if byte == UInt8(ascii: "\"") { bytes.append(byte) }
            bytes.append(byte == 0x0A || byte == 0x0D ? 0x20 : byte)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func endRow() {
        bytes.append(0x0A)
        column = 0
    }
}
