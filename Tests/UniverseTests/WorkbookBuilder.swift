import Compression

/// Builds a workbook as spreadsheet programs write one, down to the bytes of its archive.
struct WorkbookBuilder {
    /// The parts by name.
    var parts: [(name: String, content: [UInt8])] = []

    /// Makes a book of sheets, with shared texts and plain numbers.
    init(sheets: [(name: String, rows: [[String]])], hidden: Set<String> = []) {
        var shared: [String: Int] = [:]
        var order: [String] = []
        var list = ""
        var relations = ""
        for (index, sheet) in sheets.enumerated() {
            let state = hidden.contains(sheet.name) ? " state=\"hidden\"" : ""
            list += "<sheet name=\"\(sheet.name)\" sheetId=\"\(index + 1)\"\(state) r:id=\"rId\(index + 7)\"/>"
            relations += "<Relationship Id=\"rId\(index + 7)\" Target=\"worksheets/sheet\(index + 1).xml\"/>"
            var data = ""
            for (number, row) in sheet.rows.enumerated() where !row.isEmpty {
                data += "<row r=\"\(number + 1)\" spans=\"1:9\">"
                for (column, cell) in row.enumerated() where !cell.isEmpty {
                    let reference = "\(Character(Unicode.Scalar(UInt8(65 + column))))\(number + 1)"
                    if Double(cell) != nil {
                        data += "<c r=\"\(reference)\" s=\"3\"><v>\(cell)</v></c>"
                    } else {
                        if shared[cell] == nil {
                            shared[cell] = order.count
                            order.append(cell)
                        }
                        data += "<c r=\"\(reference)\" t=\"s\"><v>\(shared[cell] ?? 0)</v></c>"
                    }
                }
                data += "</row>"
            }
            add(
                "xl/worksheets/sheet\(index + 1).xml",
                "<worksheet xmlns=\"x\"><!-- made --><sheetData>\(data)</sheetData></worksheet>")
        }
        let texts = order.map { "<si><t xml:space=\"preserve\">\(Self.escaped($0))</t></si>" }.joined()
        add("xl/workbook.xml", "<workbook xmlns:r=\"r\"><sheets>\(list)</sheets></workbook>")
        add("xl/_rels/workbook.xml.rels", "<Relationships>\(relations)</Relationships>")
        add("xl/sharedStrings.xml", "<sst count=\"1\">\(texts)</sst>")
    }

    mutating func add(_ name: String, _ xml: String) {
        parts.removeAll { $0.name == name }
        parts.append((name, Array(("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + xml).utf8)))
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("é", with: "&#233;")
    }

    /// Returns the archive.
    ///
    /// - Parameters:
    ///   - packs: Whether the parts are deflated.
    ///   - isLong: Whether the directory's numbers have 64 bits, as when a program can't know them in advance.
    func bytes(packs: Bool = true, isLong: Bool = false) -> [UInt8] {
        var archive: [UInt8] = []
        var directory: [UInt8] = []
        func little(_ value: Int, _ width: Int) -> [UInt8] {
            (0..<width).map { UInt8(value >> (8 * min($0, 7)) & 0xFF) }
        }
        for (name, content) in parts {
            let packed = packs ? Deflate.raw.packed(content, level: 9) : content
            let crc = Deflate.crc32(content)
            let common =
                little(20, 2) + little(0, 2) + little(packs ? 8 : 0, 2) + little(0, 4) + little(crc, 4)
                + little(packed.count, 4) + little(content.count, 4) + little(name.utf8.count, 2) + little(0, 2)
            if isLong {
                let sizes = little(content.count, 8) + little(packed.count, 8) + little(archive.count, 8)
                directory += [0x50, 0x4B, 0x01, 0x02] + little(45, 2) + common.prefix(14) + little(-1, 8)
                directory += little(name.utf8.count, 2) + little(28, 2) + little(0, 10) + little(-1, 4)
                directory += Array(name.utf8) + little(1, 2) + little(24, 2) + sizes
            } else {
                directory +=
                    [0x50, 0x4B, 0x01, 0x02] + little(20, 2) + common + little(0, 2) + little(0, 2) + little(0, 2)
                    + little(0, 4) + little(archive.count, 4) + Array(name.utf8)
            }
            archive += [0x50, 0x4B, 0x03, 0x04] + common + Array(name.utf8) + packed
        }
        if isLong {
            let place = archive.count + directory.count
            directory += [0x50, 0x4B, 0x06, 0x06] + little(44, 8) + little(45, 2) + little(45, 2) + little(0, 8)
            directory += little(parts.count, 8) + little(parts.count, 8) + little(place - archive.count, 8)
            directory += little(archive.count, 8)
            directory += [0x50, 0x4B, 0x06, 0x07] + little(0, 4) + little(place, 8) + little(1, 4)
            return archive + directory + [0x50, 0x4B, 0x05, 0x06] + little(0, 4) + little(-1, 12) + little(0, 2)
        }
        let end =
            [0x50, 0x4B, 0x05, 0x06] + little(0, 4) + little(parts.count, 2) + little(parts.count, 2)
            + little(directory.count, 4) + little(archive.count, 4) + little(0, 2)
        return archive + directory + end
    }
}
