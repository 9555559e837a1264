import MarketData
import Store
import TestSupport
import Testing

@testable import Universe

/// Titles, totals and cash among symbols: no group gets a member that nobody chose.
@Suite(.timeLimit(.minutes(1))) struct ListWordTests {
    private func read(_ text: String, strict: Bool = false) throws -> HoldingsImport {
        try #require(try HoldingsImport.read(Array(text.utf8), strict: strict).first)
    }

    private func members(_ text: String) throws -> [String] { try read(text).entries.map(\.symbol) }

    @Test(arguments: [
        "Symbol,Weight\nAAPL,60%\nMSFT,40%\nTotal,100%\n", "symbol;weight\nAAPL;60\nMSFT;40\nTOTAL:;100\n",
        "Stock\nAAPL\nMSFT\nTotal\n", "Code;Weight\nAAPL;60\nMSFT;40\n", "CODE\nAAPL\nMSFT\n", "code\naapl\nmsft\n",
        "AAPL,60\nMSFT,39\nCash,1\n", "AAPL,60\nMSFT,39\nCASH,1\nTOTAL,100\n", "aapl,60\nmsft,39\ncash,1\ntotal,100\n",
        "AAPL,60\nMSFT,39\nUSD,1.00\n", "AAPL\nMSFT\nEnd\n", "AAPL\nMSFT\nEND\n", "AAPL\nMSFT\nSub-Total\n",
        "Company\nAAPL\nMSFT\nSource\n", "Instrument\nAAPL\nMSFT\nOther\nSUM\n", "Symbol\nAAPL\nSymbol\nMSFT\n",
        "Aktie;Gewicht\nAAPL;60\nMSFT;40\nSumme;100\n", "AAPL\nMSFT\nMicrosoft\n", "AAPL\nMSFT\nMICROSOFT\n",
        "Symbol,Weight\nAAPL,60\nMSFT,39\n,\nCash & Other,1\nTotals,100\n",
        "Ticker,Name,Shares,Market Value,Weight\nAAPL,Apple,1,1,60\nMSFT,Microsoft,1,1,40\nTotal,,20,1000,100\n",
        "Ticker,Name,Shares,Weight\nAAPL,Apple,1,60\nMSFT,Microsoft,1,39\nCash,,1,1\nTOTAL,,,100\n",
        "Ticker,Shares,Weight\nAAPL,1,60\nMSFT,1,39\nCASH,1,1\nSubtotal,,100\n",
    ])
    func `a title, a total and cash are no members`(text: String) throws {
        #expect(try members(text) == ["AAPL", "MSFT"])
    }

    @Test(arguments: [
        ("AAPL\nBAC\nCASH\n", ["AAPL", "BAC", "CASH"]),
        ("ticker,name\nAAPL,Apple\nCASH,Pathward Financial\n", ["AAPL", "CASH"]),
        ("symbol,weight\nAAPL,40\nCASH,30\nCODE,20\nMSFT,10\n", ["AAPL", "CASH", "CODE", "MSFT"]),
        ("SOXL,ProShares,50\nUSD,ProShares Ultra Semiconductors,50\n", ["SOXL", "USD"]),
        ("aapl\ncash\nmsft\n", ["AAPL", "CASH", "MSFT"]),
        ("ALL,1\nFUND,2\nNOTE,3\nNET,4\n", ["ALL", "FUND", "NOTE", "NET"]),
        (
            "Ticker,Name,Shares,Weight\nCOP,CONOCOPHILLIPS,1,50\nPEN,PENUMBRA INC,1,25\nINR,INFINITY NATURAL RESOURCES,1,25\n",
            ["COP", "PEN", "INR"]
        ),
        ("AAPL,1\nBACPRL,2\nBRK/B,3\n", ["AAPL", "BACpL", "BRK.B"]),
    ])
    func `a word that is a company's ticker too stays one where the rows speak of the company`(
        text: String, symbols: [String]
    ) throws {
        #expect(try members(text) == symbols)
    }

    @Test(arguments: [
        "KRW,SOUTH KOREAN WON", "TWD,NEW TAIWAN DOLLAR", "INR,INDIAN RUPEE", "COP,COLOMBIAN PESO", "CASH_KRW,x",
        "-USD CASH-,x", "EUR Curncy,x", "Cash & Other,x", "CASH,CASH COLLATERAL", "MARGIN_USD,x",
    ])
    func `money among a fund's holdings is cash, whatever its currency`(row: String) throws {
        let list = try read("Ticker,Name,Shares,Weight\nAAPL,Apple,1,99\n\(row),1,1\n", strict: true)
        #expect(list.entries.map(\.symbol) == ["AAPL"])
        #expect(list.cashRows == 1)
    }

    @Test func `what was left out is named with its line, and a strict import takes no title and no guess`() throws {
        let list = try read("Stock\nAAPL\nGoog\nTotal\n")
        #expect(list.entries.map(\.symbol) == ["AAPL", "GOOG"])
        #expect(list.problems.map(\.line) == [1, 3, 4])
        #expect(list.problems[0].text.contains("rename it to `symbol`"))
        for text in ["Stock\nAAPL\n", "AAPL\nGoog\n", "AAPL\nMicrosoft\nMSFT\n"] {
            let error = #expect(throws: SymbolListError.self) { try read(text, strict: true) }
            #expect(error?.description.contains("import without --strict") == true, "\(text)")
        }
        #expect(try read("symbol,weight\nAAPL,100\nTotal,100\n", strict: true).entries.count == 1)
    }

    @Test func `a file larger than any list is refused before its rows are taken apart`() {
        let bytes = [UInt8](repeating: UInt8(ascii: "\n"), count: ListText.maximumBytes + 1)
        let error = #expect(throws: SymbolListError.self) { try HoldingsImport.read(bytes) }
        #expect(error?.description.contains("16 MiB, more than any list") == true)
    }

    @Test(arguments: [
        ("Xtrackers S&P 500 Equal Weight\nNet Assets (USD),1000", "list"), ("Net Assets (EUR),1\nA Fund,x", "list"),
        ("An Example Fund (USD)\nas of today", "list"), ("An Example ETF (NAV)", "list"), ("A Trust (NDX)", "list"),
        ("A UCITS ETF (KRW)", "list"), ("A Fund (ETF)", "list"), ("A Fund (UCITS) (EXS)", "EXS"),
        ("An Example Fund (EXS) (USD)", "EXS"), ("Fund Name:,An Example Fund (EXS)\nCurrency (USD),x", "EXS"),
        ("Fund Ticker:,USD\nShares (EXS),1", "USD"),
    ])
    func `a fund is named by its title's ticker, never by a currency, an index or what another line has`(
        preamble: String, name: String
    ) throws {
        let text = "\(preamble)\nTicker,Name,Shares,Weight (%)\nAAPL,Apple,1,60\nMSFT,Microsoft,1,40\n"
        try MirrorFixture.run { fixture in
            let reports = try UniverseImporter(mirror: fixture.mirror).run(
                [.init(name: "list.csv", bytes: Array(text.utf8))], .init(environment: "DEFAULT"))
            #expect(reports.map { $0.group?.name } == [name])
        }
    }

    @Test(arguments: ["usd_holdings.csv", "stock_holdings.csv", "holdings_nov_2026.csv", "total-holdings.csv"])
    func `no word of a file's name that isn't a ticker names a fund`(file: String) throws {
        try MirrorFixture.run { fixture in
            let reports = try UniverseImporter(mirror: fixture.mirror).run(
                [.init(name: file, bytes: Array("Name,Ticker,Shares,Weight\nApple,AAPL,1,100\n".utf8))],
                .init(environment: "DEFAULT"))
            #expect(reports.map { $0.group?.name } == [String(file.dropLast(4))])
        }
    }
}
