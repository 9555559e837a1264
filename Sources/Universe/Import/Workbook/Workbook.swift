/// Reads a workbook (.xlsx) of a fund's holdings: the values of a sheet's cells. Of their formats, only percent
/// matters.
enum Workbook {
    /// The maximum number of columns that are read from a row.
    private static let maximumColumns = 512
    /// The maximum number of rows in a sheet.
    private static let maximumRows = 1 << 20
    /// The maximum number of sheets that are searched for holdings.
    private static let maximumSheets = 32
    /// The maximum number of relations between a workbook's parts, and of number formats.
    private static let maximumRelations = 4096
    /// The longest text of a sheet. The whole market with every column takes a quarter of it, so a longer sheet is not
    /// a list of symbols. The limits on the file and its parts don't limit this, because a cell may refer to a long
    /// text and a row may begin far to the right.
    static let maximumText = 8 << 20

    static func isWorkbook(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) }

    /// Returns the rows of the first sheet that has a header, or else of the first sheet, as separated text, one line
    /// per row.
    ///
    /// - Parameter others: receives the names of the other sheets that have a header.
    static func holdings(of bytes: [UInt8], others: inout [String]) throws(WorkbookError) -> [UInt8] {
        let archive = try ZipArchive(bytes)
        guard let book = try archive.content(of: "xl/workbook.xml") else {
            throw WorkbookError(
                "it is a ZIP archive, not an .xlsx file: unpack it, or save the workbook as .xlsx or as CSV")
        }
        let shared = try texts(try archive.content(of: "xl/sharedStrings.xml") ?? [])
        let percents = try percentStyles(try archive.content(of: "xl/styles.xml") ?? [])
        var first: [UInt8]?
        var found: [UInt8]?
        for (name, path) in try sheets(of: book, try archive.content(of: "xl/_rels/workbook.xml.rels") ?? []) {
            if found != nil {
                // What is wrong with a sheet that isn't imported does no harm.
                guard let sheet = try? archive.content(of: path), let rows = try? text(of: sheet, shared, percents),
                    HoldingsPreamble(rows) != nil
                else { continue }
                others.append(name)
            } else if let sheet = try archive.content(of: path) {
                let rows = try text(of: sheet, shared, percents)
                if HoldingsPreamble(rows) != nil { found = rows }
                if first == nil { first = rows }
            }
        }
        guard let chosen = found ?? first else { throw WorkbookError("it has no sheet") }
        return chosen
    }

    /// The names and paths of the visible sheets, in the order of the workbook.
    private static func sheets(
        of book: [UInt8], _ relations: [UInt8]
    ) throws(WorkbookError) -> [(name: String, path: String)] {
        var targets: [String: String] = [:]
        var events = XMLEvents(relations)
        while let event = try events.next() {
            guard event == .start("Relationship"), let id = events.attributes["Id"],
                let target = events.attributes["Target"]
            else { continue }
            guard targets.count < maximumRelations else { throw WorkbookError("it has too many parts") }
            targets[id] = target.hasPrefix("/") ? String(target.dropFirst()) : "xl/\(target)"
        }
        var sheets: [(name: String, path: String)] = []
        events = XMLEvents(book)
        while let event = try events.next() {
            guard event == .start("sheet"), events.attributes["state"] ?? "visible" == "visible",
                let id = events.attributes["id"], let target = targets[id], sheets.count < maximumSheets
            else { continue }
            sheets.append((events.attributes["name"] ?? target, target))
        }
        return sheets
    }

    /// The shared texts, which cells refer to by number.
    private static func texts(_ bytes: [UInt8]) throws(WorkbookError) -> [String] {
        var texts: [String] = []
        var current = ""
        var isText = false
        var isPhonetic = false
        var events = XMLEvents(bytes)
        while let event = try events.next() {
            switch event {
            case .start("si"): current = ""
            case .end("si"):
                guard texts.count < maximumRows else { throw WorkbookError("it has too many texts") }
                texts.append(current)
            case .start("rPh"): isPhonetic = true
            case .end("rPh"): isPhonetic = false
            case .start("t"): isText = !isPhonetic
            case .end("t"): isText = false
            case .text(let text): if isText { current += text }
            default: break
            }
        }
        return texts
    }

    /// The styles that show a number times 100 with a percent sign after it.
    private static func percentStyles(_ bytes: [UInt8]) throws(WorkbookError) -> Set<Int> {
        // The built-in formats `0%` and `0.00%`.
        var formats: Set = ["9", "10"]
        var styles: Set<Int> = []
        var (count, isOfCells) = (0, false)
        var events = XMLEvents(bytes)
        while let event = try events.next() {
            switch event {
            case .start("numFmt"):
                guard let id = events.attributes["numFmtId"], isPercent(events.attributes["formatCode"] ?? "") else {
                    break
                }
                guard formats.count < maximumRelations else { throw WorkbookError("it has too many formats") }
                formats.insert(id)
            case .start("cellXfs"): isOfCells = true
            case .end("cellXfs"): isOfCells = false
            case .start("xf") where isOfCells:
                if let id = events.attributes["numFmtId"], formats.contains(id) { styles.insert(count) }
                count += 1
            default: break
            }
        }
        return styles
    }

    /// Whether a format has a percent sign that is not literal text, in quotes or after a backslash.
    private static func isPercent(_ format: String) -> Bool {
        var (isQuoted, isEscaped) = (false, false)
        for character in format {
            if isEscaped {
                isEscaped = false
            } else if character == "\"" {
                isQuoted.toggle()
            } else if !isQuoted {
                if character == "%" { return true }
                isEscaped = character == "\\"
            }
        }
        return false
    }

    private static func text(
        of sheet: [UInt8], _ shared: [String], _ percents: Set<Int>
    ) throws(WorkbookError) -> [UInt8] {
        var text = SeparatedText()
        var rows = 0
        var (type, value, column, isValue, isPercent) = ("", "", 0, false, false)
        var events = XMLEvents(sheet)
        while let event = try events.next() {
            switch event {
            case .start("row"):
                // Rows without cells are not stored.
                if let number = events.attributes["r"].flatMap(Int.init) {
                    guard number > rows, number <= maximumRows else {
                        throw WorkbookError("its rows are not in order")
                    }
                    while rows < number - 1 {
                        text.endRow()
                        rows += 1
                    }
                }
            case .end("row"):
                guard rows < maximumRows else { throw WorkbookError("it has too many rows") }
                text.endRow()
                rows += 1
            case .start("c"):
                (type, value) = (events.attributes["t"] ?? "n", "")
                isPercent = events.attributes["s"].flatMap(Int.init).map(percents.contains) ?? false
                column = events.attributes["r"].flatMap(columnNumber) ?? text.column
            case .start("v"), .start("t"): isValue = true
            case .end("v"), .end("t"): isValue = false
            case .text(let part): if isValue { value += part }
            case .end("c"):
                guard !value.isEmpty, column >= text.column, column < maximumColumns else { break }
                let cell = try cell(type, value, shared, isPercent: isPercent)
                guard text.bytes.count + cell.utf8.count <= maximumText else {
                    throw WorkbookError(
                        "one of its sheets has more than \(maximumText >> 20) MiB as text: it is not a list of symbols")
                }
                text.add(cell, at: column)
            default: break
            }
        }
        return text.bytes
    }

    private static func cell(
        _ type: String, _ value: String, _ shared: [String], isPercent: Bool
    ) throws(WorkbookError) -> String {
        switch type {
        case "n" where isPercent:
            // 0.07 is 7 percent, not 7.000000000000001.
            return Double(value).map { "\(($0 * 1e12).rounded() / 1e10)%" } ?? value
        case "s":
            guard let number = Int(value), shared.indices.contains(number) else {
                throw WorkbookError("a cell refers to a shared string that is missing")
            }
            return shared[number]
        case "b": return value == "1" ? "TRUE" : "FALSE"
        // A formula's error is not a value.
        case "e": return ""
        default: return value
        }
    }

    /// The column that `AB12` names, from 0.
    private static func columnNumber(_ reference: String) -> Int? {
        var number = 0
        for byte in reference.utf8.prefix(4) {
            guard (0x41...0x5A).contains(byte) else { break }
            number = number * 26 + Int(byte - 0x40)
        }
        return number > 0 ? number - 1 : nil
    }
}
