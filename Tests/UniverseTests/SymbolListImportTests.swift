import MarketData
import Store
import Testing

@testable import Universe

@Suite(.timeLimit(.minutes(1))) struct SymbolListImportTests {
    private func read(_ text: String, strict: Bool = false) throws -> SymbolListImport {
        try SymbolListImport(csv: Array(text.utf8), strict: strict)
    }

    private func symbols(_ list: SymbolListImport) -> [String] { list.entries.map(\.symbol) }

    private func failure(_ bytes: [UInt8], strict: Bool = false) -> SymbolListError? {
        do throws(SymbolListError) {
            _ = try SymbolListImport(csv: bytes, strict: strict)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        "AAPL\nMSFT\n", "symbol\nAAPL\nMSFT", "Ticker,Name\r\nAAPL,Apple\r\nMSFT,Microsoft\r\n", "AAPL\rMSFT\r",
        "\u{FEFF}symbol\nAAPL\nMSFT\n", "\"symbol\"\n\"AAPL\"\n\"MSFT\"\n",
        "# of August\n\n symbol \n\n  AAPL  \n# more\nMSFT\n\n",
        "name,symbol\n\"Apple, Inc.\",AAPL\n\"Micro\"\"soft\",MSFT\n", "name;symbol\nApple;AAPL\nMicrosoft;MSFT\n",
        "symbol\tweight\nAAPL\t1\nMSFT\t2\n", "AAPL,Apple\nMSFT,Microsoft\n",
        "name,symbol\n\"Apple\nInc.\",AAPL\nMicrosoft,MSFT\n",
        ",,\nAAPL\n , \nMSFT\n", "# a, comment\nname;symbol\nApple;AAPL\nMicrosoft;MSFT",
    ])
    func `a plain list is read in all its usual forms`(text: String) throws {
        let list = try read(text, strict: true)
        #expect(symbols(list) == ["AAPL", "MSFT"])
        #expect(list.problems.isEmpty)
    }

    @Test func `weights are read where there are any, and columns in any order`() throws {
        let list = try read("name,WEIGHT,symbol,sector\nx,1.5,A,s\ny,,B,s\nz,2%,C,s\nw,n/a,D\nv,-0.25,E\n")
        #expect(list.entries.map(\.weight) == [1.5, nil, 2, nil, -0.25])
        #expect(list.entries.map(\.line) == [2, 3, 4, 5, 6])
        #expect(list.problems.isEmpty)
        #expect(list.members.first == MemberRecord(symbol: "A", weight: 1.5))
        #expect(try read("A,20.5\nB,Bravo\nC").entries.map(\.weight) == [20.5, nil, nil])
        #expect(try read("symbol,name\nA,7\n").entries.map(\.weight) == [nil])
    }

    @Test(arguments: ["abc", "1,5", "nan", "inf", "0x10", "1e999", "1 2"])
    func `a wrong weight is named and the symbol kept`(weight: String) throws {
        let list = try read("symbol,weight\nA,\"\(weight)\"\nB,2\n")
        #expect(symbols(list) == ["A", "B"])
        #expect(list.entries.map(\.weight) == [nil, 2])
        #expect(list.problems.map(\.line) == [2])
        #expect(list.problems.map(\.consequence) == [.weightLeftOut])
        #expect(list.problems[0].isFault)
    }

    @Test func `without a header, too, a wrong weight is named where most rows have one`() throws {
        let list = try read("A,1\nB,abc\nC,2\nD,\nE,3\n")
        #expect(list.entries.map(\.weight) == [1, nil, 2, nil, 3])
        #expect(list.problems.map(\.line) == [2])
        #expect(list.problems.map(\.consequence) == [.weightLeftOut])
        #expect(try read("A,Alpha\nB,2\nC,Charlie\n").problems.isEmpty)
    }

    @Test func `a bad row is named by its line and the others are read`() throws {
        let list = try read(
            "symbol,weight\nA,1\nTWO WORDS,1\n,3\nÄ,1\n\"B\"x,1\nABCDEFGHIJKLMNOPQ\nC,1\n\"D,1\nE,2\nF\nG\nH\n")
        #expect(symbols(list) == ["A", "C", "E", "F", "G", "H"])
        #expect(list.problems.map(\.line) == [3, 4, 5, 6, 7, 9])
        #expect(list.problems.allSatisfy { $0.consequence == .leftOut && $0.isFault })
        #expect(list.problems[0].description.hasPrefix("line 3: \"TWO WORDS\""))
        #expect(list.problems[3].text.contains("closing quote"))
        #expect(list.problems[5].text.contains("not closed"))
    }

    @Test func `a strict list with a bad row is refused as a whole`() throws {
        let error = try #require(failure(Array("symbol\nA\nTWO WORDS\n* *\nB".utf8), strict: true))
        #expect(error.description.contains("import without --strict"))
        #expect(error.description.hasPrefix("line 3: "))
        #expect(error.description.contains("1 more"))
        #expect(error.problems.count == 2)
    }

    @Test func `repeated and oddly spelt symbols are reported and do not make a strict list fail`() throws {
        let list = try read("aapl\nAAPL\nBRK/B\nBRK B\nBF-B\n$AAPL\nBACpL\n$X", strict: true)
        #expect(symbols(list) == ["AAPL", "BRK.B", "BF.B", "BACpL", "X"])
        #expect(list.problems.filter { $0.consequence == .repeated }.map(\.line) == [2, 4, 6])
        #expect(Set(list.problems.filter { $0.consequence == .remarked }.map(\.line)) == [1, 3, 4, 5, 6, 8])
        #expect(list.problems.first { $0.line == 2 }?.text.contains("line 1") == true)
        #expect(list.problems.first { $0.line == 3 }?.text == "\"BRK/B\" is read as BRK.B")
    }

    @Test(arguments: [
        ("AAPL", "AAPL", false), ("BRK.B", "BRK.B", false), ("BACpL", "BACpL", false), ("ABCw", "ABCw", false),
        ("ABC.WS", "ABC.WS", false), ("BRK/B", "BRK.B", true), ("BRK B", "BRK.B", true), ("BRK  B", "BRK.B", true),
        ("brk/b", "BRK.B", true), ("brk.b", "BRK.B", true), ("ABC/WS", "ABC.WS", true), ("a", "A", true),
        ("AbC", "AbC", true), ("A1", "A1", true), ("AB-CD", "AB-CD", true), ("Goog", "GOOG", true),
        ("DKNG UW", "DKNG", true), ("NVDA US", "NVDA", true), ("NVDA US Equity", "NVDA", true),
        ("AAPL.US", "AAPL", true),
        ("BRK/B US", "BRK.B", true), ("NASDAQ:AAPL", "AAPL", true), ("NYSE:BRK.B", "BRK.B", true),
        ("$TSLA", "TSLA", true),
        ("AAPL.", "AAPL", true), ("AAPL.O", "AAPL", true), ("\u{200B}NVDA\u{A0}", "NVDA", false),
        ("AM.AAPL", "AAPL", true),
        ("T.MSFT", "MSFT", true), ("A.WS", "A.WS", false), ("AA.WS.A", "AA.WS.A", false), ("IPOD.U", "IPOD.U", false),
        ("IPOD-UN", "IPOD.U", true), ("AA-WT", "AA.WS", true), ("AA+", "AA.WS", true), ("AACT=", "AACT.U", true),
        ("ABC.W", "ABC.WS", true), ("AAPL:US", "AAPL", true), ("NasdaqGS:AAPL", "AAPL", true), ("BRKB", "BRK.B", true),
        ("ABC.RT", "ABC.RT", false), ("NA", "NA", false), ("ON", "ON", false), ("TRUE", "TRUE", false),
    ])
    func `a spelling becomes the feed's`(text: String, symbol: String, isRemarked: Bool) throws {
        let list = try read(text + "\n")
        #expect(symbols(list) == [symbol])
        #expect(list.problems.count == (isRemarked ? 1 : 0))
    }

    @Test func `a header without a symbol column is refused by its line`() throws {
        let error = try #require(failure(Array("# x\nname,sector,weight\nApple,Tech,1\n".utf8)))
        #expect(error.description.contains("the header on line 2 has no column"))
    }

    @Test(arguments: ["", "\n\n", "# nothing\n", "symbol\n", "symbol,weight\n,1\n"])
    func `a list without symbols is refused`(text: String) throws {
        #expect(try #require(failure(Array(text.utf8))).description == "no symbol was found in the file")
    }

    @Test(
        arguments: [
            "BAC-PL", "BAC-PRL", "BAC-PR-L", "BAC.PRL", "BAC.PR.L", "BAC/PRL", "BAC/PL", "BAC PR L", "BAC PRL", "BAC$L",
            "BAC^L", "BACPRL", "bac-pl", "NYSE:BAC/PL", "BACpL",
        ])
    func `a preferred share is known in all spellings`(text: String) throws {
        #expect(symbols(try read("AAPL\n\(text)\n")) == ["AAPL", "BACpL"])
    }

    @Test(
        arguments: [
            "GLEN LN", "TECK/B CN", "5713 JP", "000660 KS", "0700.HK", "VOD.L", "PRX.NA", "SHOP.TO", "^GSPC", "I:SPX",
            "X:BTCUSD", "O:SPY251219C00650000", "NVDA 261016C00200000", "EURUSD=X", "ES=F", "ESZ6", "BTC-USD",
            "912797UP0",
            "595112103 TRS 050427 NM", "LSE:VOD", "6301", "037833100", "2046251", "US0378331005", "RY:CN", "BTC/USD",
        ])
    func `what a feed of US stocks doesn't have is left out and said to be so`(text: String) throws {
        let list = try read("AAPL\n\(text)\nMSFT\n")
        #expect(symbols(list) == ["AAPL", "MSFT"])
        #expect(list.problems.map(\.line) == [2])
        #expect(list.problems[0].text.contains("which a feed of US stocks doesn't have"), "\(list.problems)")
    }

    @Test(arguments: ["1-Mar", "Mar-26", "1-MAR", "2026-03-01", "01.03.2026", "3/1/2026", "1.00E+05", "46082.5"])
    func `what a spreadsheet made of a ticker is no symbol and named for what it is`(text: String) throws {
        let list = try read("symbol\nAAPL\n\(text)\nMSFT\n")
        #expect(symbols(list) == ["AAPL", "MSFT"])
        #expect(list.problems.map(\.line) == [3] && list.problems[0].isFault)
        #expect(list.problems[0].text.contains("spreadsheets"), "\(list.problems)")
        #expect(SymbolList(text).symbols.isEmpty)
    }

    @Test(arguments: ["=A1", "+AAPL", "@ES", "'TRUE", ".SPX", "--------", "SYMBOLS=AAPL", "%PDF-1.7", "<h1>"])
    func `what formulas, settings and pages are written with is in no symbol`(text: String) throws {
        #expect(symbols(try read("symbol\nAAPL\n\(text)\n")) == ["AAPL"])
    }

    @Test func `a total whose own cell for the symbol is empty is no fault`() throws {
        let list = try read(
            "No.,Symbol,Company,Weight\n1,AAPL,Apple,60%\n2,MSFT,Microsoft,40%\n,,Total,100%\n", strict: true)
        #expect(symbols(list) == ["AAPL", "MSFT"])
        #expect(list.problems.map(\.consequence) == [.remarked])
    }

    @Test(arguments: ["#NAME?", "#N/A", "#REF!", "#VALUE!"])
    func `a formula without a value is no comment: its row is told`(text: String) throws {
        let list = try read("symbol,name\nAAPL,Apple\n\(text),On\nMSFT,m\n")
        #expect(symbols(list) == ["AAPL", "MSFT"])
        #expect(list.problems.map(\.line) == [3])
    }

    @Test(arguments: ["-", "--", "—", "N/A", "null", "None", "nan"])
    func `a cell that says it is empty is no symbol and no fault`(text: String) throws {
        let list = try read("symbol\nAAPL\n\(text)\n", strict: true)
        #expect(symbols(list) == ["AAPL"])
        #expect(list.problems.map(\.consequence) == [.remarked])
    }

    @Test(arguments: [
        "AAPL,NA,MSFT", "AAPL NA MSFT\n", "[\"AAPL\",\"NA\",\"MSFT\"]", "['AAPL', 'NA', 'MSFT']",
        "[{\"ticker\": \"AAPL\"}, {\"Symbol\": \"NA\", \"Weight\": \"1.5%\"}, \"MSFT\"]",
        "NASDAQ:AAPL,###TECH,NASDAQ:NA,NASDAQ:MSFT",
        "###TECH,NASDAQ:AAPL,NASDAQ:NA,###REST,NASDAQ:MSFT", "AAPL;NA;MSFT", "AAPL|NA|MSFT",
        "DES,AAPL,STK,SMART/AMEX,,\nDES,NA,STK,SMART/AMEX,,\nSYM,MSFT,SMART/NASDAQ,,\n",
        "sep=;\nTicker;Name\nAAPL;Apple\nNA;Nano\nMSFT;Microsoft\n", ",Symbol,Security\n0,AAPL,a\n1,NA,n\n2,MSFT,m\n",
        "AAPL,NA,MSFT\nIBM,GE,F\n",
    ])
    func `symbols side by side, of watch lists and of programs are read`(text: String) throws {
        #expect(symbols(try read(text)).prefix(3) == ["AAPL", "NA", "MSFT"])
    }

    @Test func `UTF-16 is read, other bytes are refused`() throws {
        for order in [[0xFF, 0xFE, 0x41, 0x00, 0x0A, 0x00, 0x42, 0x00], [0xFE, 0xFF, 0, 0x41, 0, 0x0A, 0, 0x42]]
            as [[UInt8]]
        {
            #expect(symbols(try SymbolListImport(csv: order)) == ["A", "B"])
        }
        #expect(failure([0x41, 0x00, 0x0A, 0x00])?.description.contains("not UTF-8 text") == true)
        #expect(failure([0xD0, 0xCF, 0x11, 0xE0, 0xA1])?.description.contains(".xlsx") == true)
        #expect(failure(Array("<html>".utf8))?.description.contains("a web page") == true)
        #expect(failure(Array("\n\n  <html>\n".utf8))?.description.contains("a web page") == true)
        #expect(failure(Array("%PDF-1.7\nAAPL\n".utf8))?.description.contains("PDF") == true)
        #expect(failure([0x1F, 0x8B, 0x08, 0x01])?.description.contains("gzip") == true)
        for bytes in [
            Array("symbol\n".utf8) + [UInt8](repeating: 0x41, count: 100) + [0x00],
            [0xFF, 0xFE, 0x00, 0x00, 0x41, 0x00, 0x00, 0x00],
        ] as [[UInt8]] {
            #expect(failure(bytes)?.description.contains("not UTF-8 text") == true)
        }
    }

    @Test func `an exchange's directory is read without its tests and its last line`() throws {
        let list = try read(
            """
            ACT Symbol|Security Name|Exchange|CQS Symbol|ETF|Round Lot Size|Test Issue|NASDAQ Symbol
            A|Agilent Technologies, Inc. Common Stock|N|A|N|100|N|A
            AA$B|Alcoa Inc. Depository Shares|N|AApB|N|100|N|AA-B
            ACHR.W|Archer Aviation Inc. Warrants|N|ACHR.WS|N|100|N|ACHR+
            ABC.R|Some Rights|N|ABCr|N|100|N|ABC^
            NTEST|NYSE TEST|N|NTEST|N|100|Y|NTEST
            File Creation Time: 0815202621:32||||||
            """, strict: true)
        #expect(symbols(list) == ["A", "AApB", "ACHR.WS", "ABCr"] && list.problems.isEmpty)
        #expect(list.testRows == 1)
    }

    @Test func `weights with decimal commas are read where commas separate nothing`() throws {
        #expect(try read("ticker;weight\nA;7,12\nB;1.006,5\n").entries.map(\.weight) == [7.12, 1006.5])
        #expect(try read("ticker\tweight\nA\t7,12%\n").entries.map(\.weight) == [7.12])
    }

    @Test(arguments: [";", "\t", "|"])
    func `without a header too, a comma between digits separates nothing where something else does`(separator: String)
        throws
    {
        let text = "AAPL;6,37\nMSFT;5,120\nNVDA;3\n".replacing(";", with: separator)
        let list = try read(text, strict: true)
        #expect(symbols(list) == ["AAPL", "MSFT", "NVDA"] && list.entries.map(\.weight) == [6.37, 5.12, 3])
        // A comma that isn't a decimal comma separates, and a row that isn't split has no symbol.
        let refused = failure(Array("AAPL;Apple, Inc;6,3\nMSFT;Microsoft;5,1\n".utf8))
        #expect(refused?.description.hasPrefix("2 of 2 rows have no symbol") == true)
        #expect(symbols(try read("AAPL,6,a;b\nMSFT,5,c\n")) == ["AAPL", "MSFT"])
    }

    @Test(arguments: ["AAPL MSFT PM", "AAPL MSFT NVDA IT", "AAPL MSFT US"])
    func `a line of symbols is no share listed abroad because the last of them could be an exchange`(text: String)
        throws
    {
        let words = text.split(separator: " ").map(String.init)
        #expect(symbols(try read(text + "\n")) == words)
        #expect(SymbolList(text).symbols.map(\.description) == words)
    }

    @Test func `a file of which most rows are refused is refused and names its first row`() throws {
        let error = try #require(
            failure(Array("Company Name,Code\nApple Computer Inc,AAPL\nMicrosoft Corporation,MSFT\nVISA,V\n".utf8)))
        #expect(error.description.contains("rows have no symbol"), "\(error)")
        #expect(error.description.contains("Company Name, Code"), "\(error)")
        let named = try #require(failure(Array("ticker,name\nApple Inc!,AAPL\nOne Two,x\nV,Visa\n".utf8)))
        #expect(named.description.contains("header on line 1") && named.description.contains("\"ticker\""), "\(named)")
    }

    @Test func `another encoding in another column does no harm`() throws {
        let bytes = Array("symbol,name\nNSRGY,Nestl".utf8) + [0xE9] + Array("\nAAPL,Apple\n".utf8)
        #expect(symbols(try SymbolListImport(csv: bytes, strict: true)) == ["NSRGY", "AAPL"])
        let inSymbol = Array("symbol\nA\n".utf8) + [0xE9, 0x0A]
        #expect(try SymbolListImport(csv: inSymbol).problems.map(\.line) == [3])
    }

    @Test func `a line that is longer than any list's is refused at once, with its number`() throws {
        let line = String(repeating: "MSFT,", count: 60_000)
        let error = try #require(failure(Array(("symbol\r\nAAPL\r\n" + line).utf8)))
        #expect(error.description.hasPrefix("line 3 is longer than 256 KiB"), "\(error)")
        // An array may be on one line.
        let array = "[" + String(repeating: "\"MSFT\",", count: 40_000) + "\"AAPL\"]"
        #expect(symbols(try read(array)) == ["MSFT", "AAPL"])
    }

    @Test func `a file full of unclosed quotes is read in one pass`() throws {
        let error = try #require(failure(Array(("A\n" + String(repeating: "\"x\n", count: 20_000) + "\"open").utf8)))
        #expect(error.description.contains("rows have no symbol"))
        #expect(error.problems.count == 20_001 || error.problems.count == 20_000)
        #expect(error.problems.last?.line == 20_002)
    }
}

extension SymbolListImport {
    /// Reads a file that is a plain list.
    init(csv: [UInt8], strict: Bool = false) throws(SymbolListError) {
        var otherSheets: [String] = []
        let text = try ListText.separated(csv, otherSheets: &otherSheets)
        try self.init(text: text, HoldingsPreamble(text), strict: strict)
    }

    /// The members as the mirror keeps them.
    var members: [MemberRecord] { entries.map { MemberRecord(symbol: $0.symbol, weight: $0.weight) } }
}
