import MarketData
import Store
import Testing
import Universe

@Suite(.timeLimit(.minutes(1))) struct SymbolListImportTests {
    private func read(_ text: String, strict: Bool = false) throws -> SymbolListImport {
        try SymbolListImport(csv: Array(text.utf8), strict: strict)
    }

    private func symbols(_ list: SymbolListImport) -> [String] { list.entries.map(\.symbol.description) }

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
        #expect(list.members.first == GroupMember(symbol: "A", weight: 1.5))
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

    @Test func `a bad row is named by its line and the others are read`() throws {
        let list = try read("symbol,weight\nA,1\nTWO WORDS,1\n,3\nÄ,1\n\"B\"x,1\nABCDEFGHIJKLMNOPQ\nC,1\n\"D,1\nE,2\n")
        #expect(symbols(list) == ["A", "C", "E"])
        #expect(list.problems.map(\.line) == [3, 4, 5, 6, 7, 9])
        #expect(list.problems.allSatisfy { $0.consequence == .leftOut && $0.isFault })
        #expect(list.problems[0].description.hasPrefix("line 3: \"TWO WORDS\""))
        #expect(list.problems[3].text.contains("closing quote"))
        #expect(list.problems[5].text.contains("not closed"))
    }

    @Test func `a strict list with a bad row is refused as a whole`() throws {
        let error = try #require(failure(Array("symbol\nA\nTWO WORDS\n* *\nB".utf8), strict: true))
        #expect(error.reason == .wrongRows)
        #expect(error.description.hasPrefix("line 3: "))
        #expect(error.description.contains("1 more"))
        #expect(error.problems.count == 2)
    }

    @Test func `repeated and oddly spelt symbols are reported and do not make a strict list fail`() throws {
        let list = try read("aapl\nAAPL\nBRK/B\nBRK B\nBF-B\nAapl\nBACpL\n$X", strict: true)
        #expect(symbols(list) == ["AAPL", "BRK.B", "BF.B", "Aapl", "BACpL", "$X"])
        #expect(list.problems.filter { $0.consequence == .repeated }.map(\.line) == [2, 4])
        #expect(Set(list.problems.filter { $0.consequence == .remarked }.map(\.line)) == [1, 3, 4, 5, 6, 8])
        #expect(list.problems.first { $0.line == 2 }?.text.contains("line 1") == true)
        #expect(list.problems.first { $0.line == 3 }?.text == "\"BRK/B\" is read as BRK.B")
    }

    @Test(arguments: [
        ("AAPL", "AAPL", false), ("BRK.B", "BRK.B", false), ("BACpL", "BACpL", false), ("ABCw", "ABCw", false),
        ("ABC.WS", "ABC.WS", false), ("BRK/B", "BRK.B", true), ("BRK B", "BRK.B", true), ("BRK  B", "BRK.B", true),
        ("brk/b", "BRK.B", true), ("brk.b", "BRK.B", true), ("ABC/WS", "ABC.WS", true), ("a", "A", true),
        ("AbC", "AbC", true), ("A1", "A1", true), ("AB-CD", "AB-CD", true), ("^GSPC", "^GSPC", true),
    ])
    func `a spelling becomes the feed's`(text: String, symbol: String, isRemarked: Bool) throws {
        let list = try read(text + "\n")
        #expect(symbols(list) == [symbol])
        #expect(list.problems.count == (isRemarked ? 1 : 0))
    }

    @Test func `a header without a symbol column is refused by its line`() throws {
        let error = try #require(failure(Array("# x\nname,sector,weight\nApple,Tech,1\n".utf8)))
        #expect(error.reason == .noSymbolColumn)
        #expect(error.description.contains("line 2"))
    }

    @Test(arguments: ["", "\n\n", "# nothing\n", "symbol\n", "symbol,weight\n,1\n"])
    func `a list without symbols is refused`(text: String) throws {
        #expect(try #require(failure(Array(text.utf8))).reason == .empty)
    }

    @Test func `what is no text is refused`() throws {
        #expect(failure([0xFF, 0xFE, 0x41, 0x00])?.reason == .notText)
        #expect(failure([0x41, 0x00, 0x0A, 0x00])?.reason == .notText)
    }

    @Test func `another encoding in another column does no harm`() throws {
        let bytes = Array("symbol,name\nNSRGY,Nestl".utf8) + [0xE9] + Array("\nAAPL,Apple\n".utf8)
        #expect(symbols(try SymbolListImport(csv: bytes, strict: true)) == ["NSRGY", "AAPL"])
        let inSymbol = Array("symbol\nA\n".utf8) + [0xE9, 0x0A]
        #expect(try SymbolListImport(csv: inSymbol).problems.map(\.line) == [3])
    }

    @Test func `a file full of unclosed quotes is read in one pass`() throws {
        let list = try read("A\n" + String(repeating: "\"x\n", count: 20_000) + "\"open")
        #expect(symbols(list) == ["A"])
        #expect(list.problems.count == 20_001 || list.problems.count == 20_000)
        #expect(list.problems.last?.line == 20_002)
    }
}
