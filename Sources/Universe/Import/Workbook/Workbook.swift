/// Reads a workbook (.xlsx) as funds publish their holdings in: the values of a sheet's cells, nothing of their looks.
enum Workbook {
    /// As many columns of a row are looked at.
    private static let maximumColumns = 512
    /// As many rows as a sheet can have.
    private static let maximumRows = 1 << 20
    /// As many sheets are looked through for holdings.
    private static let maximumSheets = 32

    static func isWorkbook(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) }

    /// The rows of the first sheet that has a header, else of the first, as separated text; a row a line.
    static func holdings(of bytes: [UInt8]) throws(WorkbookError) -> [UInt8] {
        let archive = try ZipArchive(bytes)
        guard let book = try archive.content(of: "xl/workbook.xml") else {
            throw WorkbookError("it is a ZIP archive and no workbook")
        }
        let shared = try texts(try archive.content(of: "xl/sharedStrings.xml") ?? [])
        var first: [UInt8]?
        for path in try sheets(of: book, try archive.content(of: "xl/_rels/workbook.xml.rels") ?? []) {
            guard let sheet = try archive.content(of: path) else { continue }
            let text = ListText.text(of: try rows(of: sheet, shared))
            if HoldingsPreamble(text) != nil { return text }
            if first == nil { first = text }
        }
        guard let first else { throw WorkbookError("it has no sheet") }
        return first
    }

    /// Where the sheets stand, in the order of the book; hidden ones left out.
    private static func sheets(of book: [UInt8], _ relations: [UInt8]) throws(WorkbookError) -> [String] {
        var targets: [String: String] = [:]
        var events = XMLEvents(relations)
        while let event = try events.next() {
            guard event == .start("Relationship"), let id = events.attributes["Id"],
                let target = events.attributes["Target"]
            else { continue }
            targets[id] = target.hasPrefix("/") ? String(target.dropFirst()) : "xl/\(target)"
        }
        var sheets: [String] = []
        events = XMLEvents(book)
        while let event = try events.next() {
            guard event == .start("sheet"), events.attributes["state"] ?? "visible" == "visible",
                let id = events.attributes["id"], let target = targets[id], sheets.count < maximumSheets
            else { continue }
            sheets.append(target)
        }
        return sheets
    }

    /// The texts that cells name by number.
    private static func texts(_ bytes: [UInt8]) throws(WorkbookError) -> [String] {
        var texts: [String] = []
        var current = ""
        var isText = false
        var isPhonetic = false
        var events = XMLEvents(bytes)
        while let event = try events.next() {
            switch event {
            case .start("si"): current = ""
            case .end("si"): texts.append(current)
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

    private static func rows(of sheet: [UInt8], _ shared: [String]) throws(WorkbookError) -> [[String]] {
        var rows: [[String]] = []
        var row: [String] = []
        var (type, value, column, isValue) = ("", "", 0, false)
        var events = XMLEvents(sheet)
        while let event = try events.next() {
            switch event {
            case .start("row"):
                row = []
                // Rows without cells aren't written.
                if let number = events.attributes["r"].flatMap(Int.init) {
                    guard number > rows.count, number <= maximumRows else {
                        throw WorkbookError("its rows are not in order")
                    }
                    while rows.count < number - 1 { rows.append([]) }
                }
            case .end("row"):
                guard rows.count < maximumRows else { throw WorkbookError("it has too many rows") }
                rows.append(row)
            case .start("c"):
                (type, value) = (events.attributes["t"] ?? "n", "")
                column = events.attributes["r"].flatMap(columnNumber) ?? row.count
            case .start("v"), .start("t"): isValue = true
            case .end("v"), .end("t"): isValue = false
            case .text(let text): if isValue { value += text }
            case .end("c"):
                guard !value.isEmpty, column >= row.count, column < maximumColumns else { break }
                while row.count < column { row.append("") }
                row.append(try cell(type, value, shared))
            default: break
            }
        }
        return rows
    }

    private static func cell(_ type: String, _ value: String, _ shared: [String]) throws(WorkbookError) -> String {
        switch type {
        case "s":
            guard let number = Int(value), shared.indices.contains(number) else {
                throw WorkbookError("a cell names a text that is not there")
            }
            return shared[number]
        case "b": return value == "1" ? "TRUE" : "FALSE"
        // A formula's error is no value.
        case "e": return ""
        default: return value
        }
    }

    /// Which column `AB12` names, from 0.
    private static func columnNumber(_ reference: String) -> Int? {
        var number = 0
        for byte in reference.utf8.prefix(4) {
            guard (0x41...0x5A).contains(byte) else { break }
            number = number * 26 + Int(byte - 0x40)
        }
        return number > 0 ? number - 1 : nil
    }
}
