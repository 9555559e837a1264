import MarketData
import TestSupport
import Testing

@testable import Universe

/// Workbooks in which funds publish their holdings.
@Suite(.timeLimit(.minutes(2))) struct WorkbookTests {
    private static let holdings: [[String]] = [
        ["Fund Name:", "SPDR® Example & Co ETF Trust"], ["Ticker Symbol:", "SPY"], ["Holdings:", "As of 20-Nov-2026"],
        [],
        ["Name", "Ticker", "Identifier", "SEDOL", "Weight", "Sector", "Shares Held", "Local Currency"],
        ["NESTLÉ é <A>", "NVDA", "67066G104", "2379504", "8.0099999999999998", "-", "100000", "USD"],
        ["BERKSHIRE HATHAWAY INC CL B", "BRK.B", "084670702", "2073390", "91.99", "-", "1000", "USD"],
        ["US DOLLAR", "-", "CASH_USD", "-", "0.02", "-", "1000", "USD"], [],
        ["Past performance is not a reliable indicator, \"of\" future\nperformance."],
    ]

    @Test(arguments: [true, false])
    func `a fund's workbook is read as its CSV is`(packs: Bool) throws {
        let book = WorkbookBuilder(sheets: [("holdings", Self.holdings)])
        let list = try HoldingsImport(csv: book.bytes(packs: packs), strict: true)
        #expect(list.fund == "SPY" && list.format == .spdr && list.title == "SPDR® Example & Co ETF Trust")
        #expect(list.entries.map(\.symbol) == ["NVDA", "BRK.B"])
        #expect(list.entries.map(\.weight) == [8.01, 91.99])
        #expect(list.entries.map(\.line) == [6, 7])
        #expect(list.cashRows == 1)
    }

    @Test func `the first sheet with a header counts, hidden ones don't`() throws {
        let book = WorkbookBuilder(
            sheets: [
                ("cover", [["A fund"], ["of shares"]]), ("secret", [["Ticker", "Shares"], ["IBM", "1"]]),
                ("data", Self.holdings),
            ], hidden: ["secret"])
        #expect(try HoldingsImport(csv: book.bytes()).entries.map(\.symbol) == ["NVDA", "BRK.B"])
    }

    @Test func `a workbook's other lists are named, since they are not read`() throws {
        let list = [["Ticker", "Weight"], ["IBM", "100"]]
        let book = WorkbookBuilder(
            sheets: [("2026", list), ("2025", list), ("notes", [["IBM is best"]]), ("secret", list)], hidden: ["secret"]
        )
        let remarks = try HoldingsImport(csv: book.bytes()).remarks
        #expect(remarks.count == 1 && remarks[0].contains("sheets: \"2025\"; save"), "\(remarks)")
    }

    @Test func `texts within a cell, runs of text and errors of formulas are read for what they are`() throws {
        var book = WorkbookBuilder(sheets: [("s", [["x"]])])
        book.add("xl/sharedStrings.xml", "<sst><si><r><t>Tic</t></r><r><t>ker</t></r><rPh><t>no</t></rPh></si></sst>")
        book.add(
            "xl/worksheets/sheet1.xml",
            """
            <x:worksheet xmlns:x="x"><x:sheetData><x:row><x:c t="s"><x:v>0</x:v></x:c><x:c r="C1" t="inlineStr"><x:is>
            <x:t>Weight</x:t></x:is></x:c></x:row><x:row r="3"><x:c r="A3" t="str"><x:f>1</x:f><x:v>AAPL</x:v></x:c>
            <x:c r="B3" t="e"><x:v>#REF!</x:v></x:c><x:c r="C3"><x:v>100</x:v></x:c></x:row></x:sheetData></x:worksheet>
            """)
        let list = try HoldingsImport(csv: book.bytes())
        #expect(list.entries.map(\.symbol) == ["AAPL"] && list.entries.map(\.weight) == [100])
        #expect(list.entries.map(\.line) == [3])
    }

    @Test func `a number that is shown as percent is one, a percent sign in quotes is a text`() throws {
        var book = WorkbookBuilder(sheets: [("s", [["x"]])])
        book.add(
            "xl/styles.xml",
            """
            <styleSheet><numFmts><numFmt numFmtId="164" formatCode="0.0 %"/><numFmt numFmtId="165" formatCode="0.0&quot;%&quot;"/>
            <numFmt numFmtId="166" formatCode="0\\%"/></numFmts><cellStyleXfs><xf numFmtId="10"/></cellStyleXfs>
            <cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/><xf numFmtId="10"/></cellXfs>
            </styleSheet>
            """)
        let rows = [("AAPL", 1, "0.07"), ("MSFT", 2, "5.5"), ("NVDA", 3, "5.5"), ("IBM", 4, "0.052"), ("GE", 0, "0.2")]
        let cells = rows.map { symbol, style, value in
            "<row><c t=\"inlineStr\"><is><t>\(symbol)</t></is></c><c s=\"\(style)\"><v>\(value)</v></c></row>"
        }
        let head = ["Ticker", "Weight"].map { "<c t=\"inlineStr\"><is><t>\($0)</t></is></c>" }.joined()
        book.add(
            "xl/worksheets/sheet1.xml", "<worksheet><row>\(head)</row>\(cells.joined())</worksheet>")
        #expect(try HoldingsImport(csv: book.bytes()).entries.map(\.weight) == [7, 5.5, 5.5, 5.2, 0.2])
    }

    @Test func `an archive in ZIP64 is read as another is, and never beyond its end`() throws {
        let book = WorkbookBuilder(sheets: [("holdings", Self.holdings)])
        let bytes = book.bytes(isLong: true)
        #expect(try HoldingsImport(csv: bytes).entries == HoldingsImport(csv: book.bytes()).entries)
        var random = SeededRandom(seed: 12)
        for _ in 0..<400 {
            var bytes = bytes
            // In the directory, each number may be anything.
            for _ in 0..<4 {
                let place = Int.random(in: bytes.count - 600..<bytes.count, using: &random)
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            guard let list = try? HoldingsImport(csv: bytes) else { continue }
            #expect(!list.entries.isEmpty)
        }
    }

    private func fault(_ bytes: [UInt8]) -> String {
        do throws(SymbolListError) {
            _ = try HoldingsImport(csv: bytes)
            return ""
        } catch {
            return error.description
        }
    }

    @Test func `a part that unpacks to more than a list can be is refused while it is unpacked`() throws {
        var book = WorkbookBuilder(sheets: [("s", [["Ticker"], ["AAPL"]])])
        book.parts.append(("xl/sharedStrings.xml", [UInt8](repeating: 0x20, count: ZipArchive.maximumBytes + 1)))
        book.parts.removeAll { $0.name == "xl/sharedStrings.xml" && $0.content.count < 1000 }
        let bytes = book.bytes()
        #expect(bytes.count < 200_000)
        #expect(fault(bytes).contains("64 MiB"), "\(fault(bytes))")
    }

    @Test(arguments: [
        // Rows that begin far to the right.
        String(repeating: "<row><c r=\"SR1\"><v>1</v></c></row>", count: 60_000),
        // Cells that name a long text.
        "<row>" + String(repeating: "<c t=\"s\"><v>0</v></c>", count: 300) + "</row>",
    ])
    func `a small sheet that says a lot is refused before it takes the memory`(rows: String) throws {
        var book = WorkbookBuilder(sheets: [("s", [["Ticker"]])])
        book.add("xl/sharedStrings.xml", "<sst><si><t>\(String(repeating: "A", count: 100_000))</t></si></sst>")
        book.add("xl/worksheets/sheet1.xml", "<worksheet><sheetData>\(rows)</sheetData></worksheet>")
        let bytes = book.bytes()
        #expect(bytes.count < 20_000)
        #expect(fault(bytes).contains("\(Workbook.maximumText >> 20) MiB as text"), "\(fault(bytes))")
    }

    @Test(arguments: [
        ("<!DOCTYPE x [<!ENTITY a \"b\">]><worksheet/>", "document type"), ("<worksheet>&lol;</worksheet>", "entity"),
        ("<worksheet><row r=\"5\"></row><row r=\"2\"></row></worksheet>", "not in order"),
        ("<worksheet><row r=\"99999999\"></row></worksheet>", "not in order"), ("<worksheet><row>", "cut short"),
        ("<worksheet></row>", "not valid XML"),
        ("<row \((0..<300).map { "a\($0)=\"\"" }.joined(separator: " "))/>", "not valid XML"),
        (String(repeating: "<a>", count: 100), "not valid XML"),
        ("<worksheet><row><c t=\"s\"><v>7</v></c></row></worksheet>", "a shared string that is missing"),
    ])
    func `a sheet that no spreadsheet program writes is refused with a reason`(sheet: String, reason: String) throws {
        var book = WorkbookBuilder(sheets: [("s", [["Ticker"]])])
        book.add("xl/worksheets/sheet1.xml", sheet)
        #expect(fault(book.bytes()).contains(reason), "\(fault(book.bytes()))")
    }

    @Test func `an archive that is none, or another program's, is refused with a reason`() throws {
        let whole = WorkbookBuilder(sheets: [("holdings", Self.holdings)]).bytes()
        #expect(fault(Array(whole.prefix(whole.count / 2))).contains("cut short"))
        var other = WorkbookBuilder(sheets: [])
        other.parts = [("a.txt", Array("x".utf8))]
        #expect(fault(other.bytes()).contains("not an .xlsx file"))
        var damaged = WorkbookBuilder(sheets: [("holdings", Self.holdings)]).bytes(packs: false)
        damaged[60] ^= 1
        #expect(fault(damaged).contains("damaged"), "\(fault(damaged))")
    }

    @Test func `mangled workbooks never trap`() throws {
        var random = SeededRandom(seed: 11)
        let whole = WorkbookBuilder(sheets: [("holdings", Self.holdings)])
        for round in 0..<400 {
            var bytes = whole.bytes(packs: round % 2 == 0)
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let place = Int.random(in: 4..<bytes.count, using: &random)
                if Bool.random(using: &random) {
                    bytes[place] = UInt8.random(in: 0...255, using: &random)
                } else {
                    bytes.remove(at: place)
                }
            }
            guard let list = try? HoldingsImport(csv: bytes) else { continue }
            #expect(!list.entries.isEmpty)
        }
    }
}
