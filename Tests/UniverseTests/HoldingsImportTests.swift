import MarketData
import TestSupport
import Testing

@testable import Universe

/// Files as fund companies publish them; the numbers are made up.
@Suite(.timeLimit(.minutes(1))) struct HoldingsImportTests {
    private func read(_ text: String, strict: Bool = false) throws -> HoldingsImport {
        try HoldingsImport(csv: Array(text.utf8), strict: strict)
    }

    static let spdr = """
        Fund Name:,SPDR Example Trust
        Ticker Symbol:,SPY
        Holdings:,As of 01-Aug-2026

        Name,Ticker,Identifier,SEDOL,Weight,Sector,Shares Held,Local Currency
        APPLE INC,AAPL,037833100,2046251,6.37,-,"171,234,567.00",USD
        BERKSHIRE HATHAWAY INC CL B,BRK.B,084670702,2073390,1.62,-,"1,234.00",USD
        BROWN FORMAN CORP CLASS B,BF/B,115637209,2146838,92.0,-,10,USD
        US DOLLAR,-,CASH_USD,-,0.01,-,"1,000",USD
        Past performance is not a reliable indicator of future performance.
        """

    static let ishares = """
        iShares Example ETF
        Fund Holdings as of,"Aug 01, 2026"
        Inception Date,"May 15, 2000"
        Shares Outstanding,"1,234,567.00"
        \u{A0}
        Ticker,Name,Sector,Asset Class,Market Value,Weight (%),Notional Value,Shares,CUSIP,Price,Location,Exchange
        "AAPL","APPLE INC","Information Technology","Equity","32,345,678.10","95.61","32,345,678.10","171,234","037","189.2","United States","NASDAQ"
        "BRKB","BERKSHIRE HATHAWAY INC CLASS B","Financials","Equity","1,000","4.2","1,000","10","084","400","United States","NYSE"
        "XTSLA","BLK CSH FND TREASURY SL AGENCY","Cash and/or Derivatives","Money Market","1,000","0.12","1,000","10","066","1","United States","-"
        "USD","USD CASH","Cash and/or Derivatives","Cash","10","0.05","10","10","-","100","United States","-"
        "ESU6","S&P500 EMINI SEP 26","Cash and/or Derivatives","Futures","0","0.00","10","1","-","5000","-","-"
        \u{A0}
        "The content contained herein is owned or licensed by somebody."
        """

    static let vanguard = """
        Vanguard Example Index ETF (VOO)
        "as of 07/31/2026"

        ,Holdings,Ticker,CUSIP,SEDOL,% of fund*,Shares,Market value
        ,"Apple Inc.",AAPL,037833100,2046251,6.21 %,"1,234,567","$234,567,890.12"
        ,"Berkshire Hathaway Inc. Class B",BRK B,084670702,2073390,93.5 %,"12","$5,432.10"
        ,"Slbbh1142",—,,,0.02 %,"1","$1.00"
        ,"Cash",,,,0.10 %,"1","$1.00"
        """

    @Test func `a SPDR file is recognised with its fund, and class shares are spelt as the feed spells them`() throws {
        let list = try read(Self.spdr)
        #expect(list.format == .spdr)
        #expect(list.fund == "SPY")
        #expect(list.title == "SPDR Example Trust")
        #expect(list.entries.map(\.symbol) == ["AAPL", "BRK.B", "BF.B"])
        #expect(list.entries.map(\.weight) == [6.37, 1.62, 92])
        #expect(list.cashRows == 1)
        #expect(list.problems.filter(\.isFault).isEmpty)
    }

    @Test func `an iShares file is recognised, cash and futures are left out, quoted thousands are read`() throws {
        let list = try read(Self.ishares)
        #expect(list.format == .ishares)
        #expect(list.title == "iShares Example ETF")
        #expect(list.entries.map(\.symbol) == ["AAPL", "BRK.B"])
        #expect(list.entries.map(\.sector) == ["Information Technology", "Financials"])
        #expect(list.cashRows == 3)
        #expect(list.problems.filter(\.isFault).isEmpty)
        #expect(list.remarks.isEmpty, "\(list.remarks)")
    }

    @Test func `a holding that is traded in another currency is not the US stock of the same ticker`() throws {
        let list = try read(
            """
            iShares Example World ETF
            Ticker,Name,Asset Class,Notional Value,Weight (%),Location,Exchange,Currency,Market Currency
            AAPL,APPLE INC,Equity,1,40,United States,NASDAQ,USD,USD
            MC,LVMH,Equity,1,30,France,Nyse Euronext - Euronext Paris,USD,EUR
            SPOT,SPOTIFY TECHNOLOGY SA,Equity,1,30,Sweden,New York Stock Exchange Inc.,USD,USD
            """)
        #expect(list.entries.map(\.symbol) == ["AAPL", "SPOT"])
        #expect(list.problems.count { $0.line == 4 && $0.text.contains("listed abroad (in EUR)") && !$0.isFault } == 1)
        #expect(try read(Self.spdr + "\nSAP SE,SAP,D66992104,4846288,1,-,5,EUR").entries.count == 3)
    }

    @Test func `symbols that a list says are not active are left out, with a remark`() throws {
        let list = try read("ticker,name,active\nAAPL,Apple,True\nTWTR,Twitter,False\nMSFT,Microsoft,\n")
        #expect(list.entries.map(\.symbol) == ["AAPL", "MSFT"])
        #expect(list.remarks == ["1 symbol that is not active left out"])
        let flags = try read("ticker,name,active\nAAPL,Apple,1\nTWTR,Twitter,0\n")
        #expect(flags.entries.map(\.symbol) == ["AAPL"])
    }

    @Test func `an active weight of 0 does not make a symbol inactive`() throws {
        let list = try read("ticker,weight,benchmark,active\nAAPL,60,58.5,1.5\nMSFT,40,40,0\n")
        #expect(list.entries.map(\.symbol) == ["AAPL", "MSFT"])
    }

    @Test func `the ticker of an index beside its members' is not a member`() throws {
        let list = try read("Index Ticker,Component Symbol,Index Weight\nNDX,AAPL,60\nNDX,MSFT,40\n")
        #expect(list.entries.map(\.symbol) == ["AAPL", "MSFT"] && list.entries.map(\.weight) == [60, 40])
    }

    @Test func `a Vanguard file is recognised, holdings without a ticker are told and left out`() throws {
        let list = try read(Self.vanguard)
        #expect(list.format == .vanguard)
        #expect(list.fund == "VOO")
        #expect(list.entries.map(\.symbol) == ["AAPL", "BRK.B"])
        #expect(list.entries.map(\.weight) == [6.21, 93.5])
        #expect(list.problems.count { $0.text.contains("has no ticker") } == 1 && list.cashRows == 1)
        #expect(list.problems.contains { $0.text.contains("Slbbh1142") && !$0.isFault })
    }

    @Test func `a company whose ticker is CASH is no cash`() throws {
        let list = try read(
            Self.spdr
                + "\nPATHWARD FINANCIAL INC,CASH,59100U108,2586469,0.1,-,5,USD\nCASH COLLATERAL,CASH,,,0.1,-,5,USD")
        #expect(list.entries.map(\.symbol).last == "CASH")
        #expect(list.entries.count == 4 && list.cashRows == 2)
    }

    @Test func `a share is no cash because of the name of its industry`() throws {
        let list = try read(
            """
            Ticker,Name,CUSIP,Classification,Weighting
            T,AT&T Inc,00206R102,Fixed Line Telecommunications,30%
            JPM,JPMorgan,46625H100,Money Center Banks,30%
            AAPL,Apple Inc,037833100,Technology Hardware,30%
            BIL,Bill,1,Fixed Income,5%
            FUND,Fund,1,Money Market,5%
            """)
        #expect(list.entries.map(\.symbol) == ["T", "JPM", "AAPL"] && list.cashRows == 2)
    }

    @Test(arguments: ["\r\n", "\r"])
    func `line ends of other systems and a byte order mark make no difference`(end: String) throws {
        for text in [Self.spdr, Self.ishares, Self.vanguard] {
            let other = try read("\u{FEFF}" + text.replacing("\n", with: end))
            #expect(other.entries.map(\.symbol) == (try read(text).entries.map(\.symbol)))
        }
    }

    @Test(arguments: [
        ("AAPL\nMSFT\n", ["AAPL", "MSFT"]), ("symbol\nAAPL\n\n# note\nMSFT", ["AAPL", "MSFT"]),
        ("Ticker;Name\nBRK/B;x\nBRK-A;y", ["BRK.B", "BRK.A"]), ("symbol\tweight\nA\t1", ["A"]),
        ("\"symbol\"\n\"brk b\"\n", ["BRK.B"]),
    ])
    func `plain lists are read with and without a header`(text: String, symbols: [String]) throws {
        let list = try read(text)
        #expect(list.entries.map(\.symbol) == symbols)
        #expect(!list.format.isFund)
    }

    @Test func `symbols with weights are a weighted list, and a wrong sum is told`() throws {
        let list = try read("symbol,weight\nA,60%\nB,\"20\"\n")
        #expect(list.format == .weighted)
        #expect(list.entries.compactMap(\.weight).reduce(0, +) == 80)
        #expect(list.remarks.contains { $0.contains("sum to 80 percent") })
        #expect(try read("symbol,weight\nA,60\nB,40\n").remarks.isEmpty)
    }

    @Test func `a fund's fractions become percent, with a remark`() throws {
        let rows = (0..<5).map { "Company \($0),S\("ABCDE".dropFirst($0).prefix(1)),1,0.2\n" }.joined()
        let list = try read("Fund,x\nName,Ticker,Shares,Weight\n" + rows)
        #expect(list.entries.compactMap(\.weight).allSatisfy { abs($0 - 20) < 1e-9 })
        #expect(list.remarks.contains { $0.contains("fractions of 1") })
    }

    @Test func `a bad row is named with its line and does not stop the rest, unless strict`() throws {
        let text = "symbol\nAAPL\nnot a symbol at all\nMSFT\n\"open\nX\n"
        let list = try read(text)
        #expect(list.entries.map(\.symbol).prefix(2) == ["AAPL", "MSFT"])
        #expect(list.problems.filter(\.isFault).map(\.line).first == 3)
        let error = #expect(throws: SymbolListError.self) { try read(text, strict: true) }
        #expect(error?.description.contains("line 3") == true)
        let fund = Self.spdr.replacing("APPLE INC,AAPL", with: "APPLE INC,A*PL")
        #expect(try read(fund).entries.count == 2)
        #expect(throws: SymbolListError.self) { try read(fund, strict: true) }
    }

    @Test func `a share in two rows is one member with both weights`() throws {
        let list = try read(Self.spdr.replacing("BF/B", with: "AAPL"))
        #expect(list.entries.map(\.symbol) == ["AAPL", "BRK.B"])
        #expect(list.entries.first?.weight == 98.37)
    }

    @Test(arguments: ["", "\n\n", "name,price\nx,1\n", "\u{0}\u{1}\u{2}"])
    func `a file without symbols is refused with a reason`(text: String) {
        let error = #expect(throws: SymbolListError.self) { try read(text) }
        #expect(error?.description.isEmpty == false)
    }

    @Test(arguments: [
        ("6.37", WeightText.value(6.37)), ("6.37 %", .value(6.37)), ("1,234.5", .value(1234.5)),
        ("(0.01)", .value(-0.01)), ("-", .none), ("", .none), ("n/a", .none), ("<0.01%", .none), ("1,23", .malformed),
        ("x", .malformed),
        ("1e400", .malformed),
    ])
    func `weights are read as funds write them`(text: String, weight: WeightText) {
        #expect(WeightText(text) == weight)
    }

    @Test func `mangled files never trap and never make a symbol that the feed could not send`() throws {
        var random = SeededRandom(seed: 7)
        let samples = [Self.spdr, Self.ishares, Self.vanguard].map { Array($0.utf8) }
        for round in 0..<600 {
            var bytes = samples[round % 3]
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(Array("\",\n\r;".utf8).randomElement(using: &random) ?? 0, at: place)
                }
            }
            guard let list = try? HoldingsImport(csv: bytes) else { continue }
            #expect(!list.entries.isEmpty)
            #expect(Set(list.entries.map(\.symbol)).count == list.entries.count)
            #expect(list.entries.allSatisfy { ($0.weight ?? 0).isFinite })
        }
    }
}

extension HoldingsImport {
    /// Reads a file that makes one group.
    init(csv: [UInt8], strict: Bool = false) throws(SymbolListError) {
        let funds = try Self.read(csv, strict: strict)
        #expect(funds.count == 1)
        self = funds[0]
    }
}
