import Foundation
import MarketData
import Store
import TestSupport
import Testing

@testable import Universe

/// Files as they are published and exported: those beside the package, and our own in the same formats.
@Suite(.timeLimit(.minutes(2))) struct PublishedFilesTests {
    private func importing(_ name: String, _ bytes: [UInt8]) throws -> [UniverseImporter.Report] {
        try MirrorFixture.run { fixture in
            try UniverseImporter(mirror: fixture.mirror).run(
                [.init(name: name, bytes: bytes)], .init(environment: "DEFAULT"))
        }
    }

    private func groups(_ name: String, _ bytes: [UInt8]) throws -> [String: Set<String>] {
        try MirrorFixture.run { fixture in
            _ = try UniverseImporter(mirror: fixture.mirror).run(
                [.init(name: name, bytes: bytes)], .init(environment: "DEFAULT"))
            let groups = try fixture.mirror.contents().groups.map(\.record)
            return Dictionary(
                uniqueKeysWithValues: groups.map {
                    ("\($0.identity.type) \($0.identity.name)", Set($0.members.map(\.symbol)))
                })
        }
    }

    // MARK: - Our own

    static let usBank = """
        Date,Account,StockTicker,CUSIP,SecurityName,Shares,Price,MarketValue,Weightings,NetAssets,SharesOutstanding,CreationUnits,MoneyMarketFlag
        06/29/2026,AAXA,MU,595112103,Micron Technology Inc,10,100,1000,55.00%,10000,1000,1,
        06/29/2026,AAXA,000111 KS,6450267,Some Maker Inc,10,100,1000,20.00%,10000,1000,1,
        06/29/2026,AAXA,595112103 TRS 050427 NM,595112103 TRS 050427 NM,SOME SWAP NM,100,13,1300,13.00%,10000,1000,1,
        06/29/2026,AAXA,912797ZZ0,912797ZZ0,United States Treasury Bill 10/01/2026,10,100,1000,3.00%,10000,1000,1,
        06/29/2026,AAXA,FGXXX,31846V336,A Government Obligations Fund,10,100,1000,2.00%,10000,1000,1,Y
        06/29/2026,AAXA,SWWXX,31846V339,Another Fund of Money,10,100,1000,2.00%,10000,1000,1,
        06/29/2026,AAXA,Cash&Other,Cash&Other,Cash & Other,436146,1.0,436145.86,38.07%,10000,25000,1,Y
        06/29/2026,AAXB,NVDA 261016C00200000,NVDA 261016C00200000,NVDA US 10/16/26 C200,-100,1,-100,-0.10%,1000,1,1,
        06/29/2026,AAXB,TSLY,88634T709,Some Income ETF,100,1,100,100%,1000,1,1,
        06/29/2026,AAXC,Cash&Other,Cash&Other,Cash & Other,1,1,1,0.50%,1000,1,1,Y
        """

    @Test func `several funds of one file are a group each, named by their own tickers`() throws {
        let made = try groups("holdings.csv", Array(Self.usBank.utf8))
        #expect(made == ["ETF AAXA": ["MU"], "ETF AAXB": ["TSLY"]])
        let reports = try importing("holdings.csv", Array(Self.usBank.utf8))
        #expect(reports.allSatisfy { $0.outcome == .written && !$0.problems.contains(where: \.isFault) })
        #expect(reports[0].remarks.contains { $0.contains("AAXC") })
        #expect(reports[0].remarks.contains { $0.contains("3 holdings that are not US stocks") })
        try MirrorFixture.run { fixture in
            var options = UniverseImporter.Options(environment: "DEFAULT")
            options.name = "mine"
            let refused = try UniverseImporter(mirror: fixture.mirror).run(
                [.init(name: "h.csv", bytes: Array(Self.usBank.utf8))], options)
            guard case .failed(let text) = refused[0].outcome else { return #expect(Bool(false), "\(refused)") }
            #expect(text.contains("AAXA, AAXB") && text.contains("--name"))
        }
    }

    @Test(
        arguments: [
            (
                "firsttrust.csv",
                """
                Security Name,Identifier,CUSIP,Classification,Shares / Quantity,Market Value,Weighting
                "Maker Corporation",NVDA,67066G104,Information Technology,"1,200,000","$216,000,000.00",96%
                "Prosus N.V.",PRX.NA,N7163R103,Consumer Discretionary,"200,000","$12,000,000.00",3.98%
                "US Dollar",$USD,,Cash,"500,000","$500,000.00",0.02%
                """, ["ETF firsttrust": ["NVDA"]]
            ),
            (
                "globalx_full-holdings_20260612.csv",
                """
                An Example Fintech ETF | Fund Holdings Data as of 07/02/2026
                % of Net Assets,Ticker,Name,SEDOL,Market Price ($),Shares Held,Market Value ($)
                90.39,HOOD,ROBINHOOD MARKETS INC - A US,BP0TQN6,112.73,"4,792","540,202.16"
                4.00,GRMN U,GARMIN LTD,BYNZGK1,60.00,"4,792","540,202.16"
                0.16,,CASH,,1.0,"287,254.82","287,254.82"
                2.50,IRE AU,IRESS LTD,6297497,7.00,"4,792","540,202.16"
                """, ["ETF globalx_full-holdings_20260612": ["HOOD", "GRMN"]]
            ),
            (
                "byfund.csv",
                """
                PORTFOLIO HOLDINGS INFORMATION,,,,
                AS OF 7/29/2026,,,,
                ,,,,
                Fund Ticker,Fund Name,Security Ticker,Security Sedol,Security Description,Shares/Contracts,Market Value
                TQQQ,Triple,,,NASDAQ 100 Index SWAP,1200,
                TQQQ,Triple,AAPL,2046251,APPLE INC,100,300
                SQQQ,Short,MSFT,2588173,MICROSOFT CORP,100,300
                """, ["ETF TQQQ": ["AAPL"], "ETF SQQQ": ["MSFT"]]
            ),
            (
                "ucits.csv",
                """
                Fund Holdings as of,"04/Sep/2026"

                Issuer Ticker,Name,Sector,Asset Class,Market Value,Weight (%),Notional Value
                BRKB,BERKSHIRE HATHAWAY INC CLASS B,Financials,Equity,"51,000,000.00",99.60,"51,000,000.00"
                USD,USD CASH,Cash and/or Derivatives,Cash,"1,000.00",0.10,"1,000.00"
                """, ["ETF ucits": ["BRK.B"]]
            ),
            (
                "vanguard.csv",
                """
                "Example Index ETF (VEX)"
                "as of 10/31/2026"

                "HOLDINGS","TICKER","CUSIP","SEDOL","% OF FUND","SHARES","MARKET VALUE"
                "=\"\"Apple Inc.\"\"","=\"\"AAPL\"\"","=\"\"037833100\"\"","=\"\"2046251\"\"","96.51 %","1000","$100000"
                "=\"\"Contra Inc.\"\"","=\"\"—\"\"","=\"\"—\"\"","=\"\"—\"\"","0.00 %","1000","$100"
                "Fund balance","","","","100 %","",""
                """, ["ETF VEX": ["AAPL"]]
            ),
            (
                "constituents.csv",
                """
                Symbol,Security,GICS Sector,GICS Sub-Industry,Headquarters Location,Date added,CIK,Founded
                MMM,3M,Industrials,Conglomerates,"Saint Paul, Minnesota",1957-03-04,0000066740,1902
                BRK.B,Berkshire,Financials,Holdings,"Omaha, Nebraska",2010-02-16,0001067983,1839
                """, ["UNIVERSE constituents": ["MMM", "BRK.B"]]
            ),
            (
                "slick.csv",
                """
                Company,Symbol,Weight,Price,Chg,% Chg
                Nvidia,NVDA,97.31%,180.00,1.00,(0.56%)
                Berkshire Hathaway Inc Class B,BRK.B,1.64%,500,1,(0.2%)
                """, ["UNIVERSE slick": ["NVDA", "BRK.B"]]
            ),
            (
                "german.csv",
                """
                Emittententicker;Name;Sektor;Anlageklasse;Marktwert;Gewichtung (%);Nominalwert
                AAPL;APPLE;IT;Aktien;1.000,00;99,05;1.000
                USD;USD CASH;Cash;Cash und/oder Derivate;1.000,00;0,05;1.000
                """, ["ETF german": ["AAPL"]]
            ),
            (
                "fund.csv",
                "A fund,,\nTicker,Name,Weight\nNA,Nano Labs Ltd,50\nNA,US DOLLAR RIGHTS,10\nAAPL,Apple,40\n",
                ["ETF fund": ["NA", "AAPL"]]
            ),
            ("My, list.csv", "Tickers, Weight\nNVDA, 0.5\nBRK.B, 0.5\n", ["UNIVERSE My list": ["NVDA", "BRK.B"]]),
            ("list (2).csv", "Tickers, Weight\nNVDA, 0.5\nBRK.B, 0.5\n", ["UNIVERSE list": ["NVDA", "BRK.B"]]),
        ] as [(String, String, [String: Set<String>])])
    func `files of every publisher make the groups that they are`(
        name: String, text: String, made: [String: Set<String>]
    ) throws {
        #expect(try groups(name, Array(text.utf8)) == made)
    }

    @Test(arguments: [
        ("IVV_holdings (1).csv", "IVV"), ("copx_full-holdings_20260612.csv", "COPX"),
        ("AN_INNOVATION_ETF_ARKK_HOLDINGS.csv", "ARKK"), ("TidalFG_Holdings_DRAM.csv", "DRAM"),
        ("SCHD_FundHoldings_2026-11-20.CSV", "SCHD"), ("holdings-daily-us-en-spy.xlsx", "SPY"),
        ("qqq_holdings.csv", "QQQ"),
        ("holdings-daily.csv", "holdings-daily"), ("arkk.csv", "arkk"),
    ])
    func `the group is named by the fund's ticker in the file's name`(file: String, name: String) throws {
        let text = "Name,Ticker,Shares,Weight\nApple,AAPL,1,100\n"
        #expect(try importing(file, Array(text.utf8)).map { $0.group?.name } == [name])
    }

    @Test func `fractions of a list become percent as a fund's do`() throws {
        let rows = ["NVDA, 0.15", "AAPL, 0.35", "MSFT, 0.2", "META, 0.2", "V, 0.1"]
        let list = try HoldingsImport(csv: Array(("Tickers, Weight\n" + rows.joined(separator: "\n")).utf8))
        #expect(list.entries.compactMap(\.weight).map { $0.rounded() } == [15, 35, 20, 20, 10])
        let few = try HoldingsImport(csv: Array("Tickers, Weight\nNVDA,0.25\nAAPL,0.75\n".utf8))
        #expect(few.entries.map(\.weight) == [25, 75])
        let excerpt = try HoldingsImport(csv: Array("Tickers, Weight\nNVDA,0.25\nAAPL,0.7\n".utf8))
        #expect(excerpt.entries.map(\.weight) == [0.25, 0.7])
    }

    // MARK: - Those beside the package

    private static let areThere = Places.sharedCase("universes/bloomberg.csv") != nil

    private static func bytes(_ name: String) throws -> [UInt8] {
        let path = try #require(Places.sharedCase("universes/\(name)"))
        return Array(try Data(contentsOf: URL(filePath: path)))
    }

    /// The file, its group, the number of members, some that are among them, and some that are not.
    private static let published: [(String, String, Int, Set<String>, Set<String>)] = [
        ("ARK_INNOVATION_ETF_ARKK_HOLDINGS.csv", "ETF ARKK", 35, ["TSLA", "DKNG"], ["DKNG.UW"]),
        ("IVV_holdings (1).csv", "ETF IVV", 20, ["AAPL", "BRK.B"], ["BRKB", "USD"]),
        ("SCHD_FundHoldings_2026-11-20.CSV", "ETF SCHD", 2, ["TXN", "AMGN"], []),
        ("TidalFG_Holdings_DRAM.csv", "ETF DRAM", 2, ["MU", "STX"], []),
        ("arkk_raw.csv", "ETF ARKK", 35, ["DKNG", "U"], []),
        ("arkx_raw.csv", "ETF ARKX", 33, ["GRMN", "TRMB"], ["GRMN.U", "6301", "2618", "DSY.FP"]),
        ("bloomberg.csv", "ETF bloomberg", 3, ["NVDA", "TSM", "BRK.B"], []),
        ("copx_full-holdings_20260612.csv", "ETF COPX", 2, ["SCCO", "FCX"], []),
        ("excel_sep.csv", "UNIVERSE excel_sep", 2, ["AAPL", "MSFT"], []),
        ("firsttrust.csv", "ETF firsttrust", 3, ["NVDA", "SHOP", "SAP"], []),
        ("german_semicolon.csv", "UNIVERSE german_semicolon", 2, ["AAPL", "MSFT"], []),
        ("globalx.csv", "ETF globalx", 2, ["SCCO", "FCX"], []),
        ("globalx_pipe.csv", "ETF globalx_pipe", 2, ["HOOD", "XYZ"], []),
        ("holdings-daily.csv", "ETF QQQ", 29, ["AAPL", "FB"], []),
        ("ishares_uk.csv", "ETF ishares_uk", 3, ["AAPL", "MSFT", "BRK.B"], []),
        ("izrl_raw.csv", "ETF IZRL", 75, ["CLGN", "INVZ", "URGN", "BLRX"], []),
        ("list.json", "UNIVERSE list", 3, ["BRK.B"], []),
        ("lowcaptickers.csv", "UNIVERSE lowcaptickers", 1960, ["CRDO", "FN"], ["-", "RTYZ5", "P5N994"]),
        ("nasdaqlisted.txt", "UNIVERSE nasdaqlisted", 40, ["AAPL", "AAXJ", "ZYNE"], []),
        ("nasdaqtraded.txt", "UNIVERSE nasdaqtraded", 40, ["AApB", "AAp", "A", "ZYNE"], ["AA$", "Y"]),
        ("nbsp.csv", "UNIVERSE nbsp", 3, ["AAPL", "MSFT", "NVDA"], []),
        ("oldmac.csv", "UNIVERSE oldmac", 3, ["NVDA"], []),
        ("oneline.csv", "UNIVERSE oneline", 3, ["AAPL", "NA", "MSFT"], []),
        ("otherlisted.txt", "UNIVERSE otherlisted", 40, ["AApB", "ZX"], []),
        ("pandas_index.csv", "UNIVERSE pandas_index", 3, ["MMM", "AOS", "BRK.B"], []),
        ("polygon_tickers.csv", "UNIVERSE polygon_tickers", 8, ["NA", "CASH", "BACpL", "AACT.WS", "ABC.RT"], []),
        ("proshares.csv", "ETF TQQQ", 2, ["NVDA", "AAPL"], []),
        ("proshares_byfund.csv", "ETF TQQQ", 2, ["MSFT", "AAPL"], []),
        ("pylist.txt", "UNIVERSE pylist", 3, ["BRK.B"], []), ("schwab.csv", "ETF SCHD", 2, ["TXN", "AMGN"], ["SSIXX"]),
        ("slickcharts.csv", "UNIVERSE slickcharts", 2, ["NVDA", "BRK.B"], []),
        ("spaces.txt", "UNIVERSE spaces", 5, ["AAPL", "MSFT", "GOOG", "NVDA", "AMD"], []),
        ("ssga.csv", "ETF SPY", 2, ["NVDA", "BRK.B"], []), ("tabs.tsv", "UNIVERSE tabs", 2, ["AAPL", "MSFT"], []),
        ("tickers.csv", "UNIVERSE tickers", 11, ["NVDA", "V", "BRK.B"], ["Tickers", "TICKERS"]),
        ("tickers_header.csv", "UNIVERSE tickers_header", 3, ["NVDA", "AAPL", "BRK.B"], []),
        ("tradingview.txt", "UNIVERSE tradingview", 5, ["IBM", "AAPL", "MSFT", "BRK.B", "NVDA"], []),
        ("tws.csv", "UNIVERSE tws", 2, ["AAPL", "MSFT"], []),
        ("usbank_multi.csv", "ETF BETZ", 2, ["DKNG", "FLUT"], []),
        ("usbank_multi.csv", "ETF OZEM", 1, ["LLY"], []), ("usbank_options.csv", "ETF YMAX", 2, ["TSLY", "CONY"], []),
        ("usbank_tidal.csv", "ETF DRAM", 2, ["MU", "STX"], []), ("utf16.csv", "UNIVERSE utf16", 1, ["AAPL"], []),
        ("vanguard.csv", "ETF VTI", 3, ["AAPL", "BRK.B", "BF.B"], []),
        ("vanguard2.csv", "ETF vanguard2", 3, ["AAPL", "BRK.B", "BF.B"], []),
        ("wikipedia_old.tsv", "UNIVERSE wikipedia_old", 2, ["MMM", "BRK.B"], []),
        (
            "yahoo.csv", "UNIVERSE yahoo", 17,
            ["BRK.B", "BF.B", "BACpL", "ABRpD", "AA.WS", "IPOD.U", "IBM", "TSLA", "GOOG", "TRUE", "NA", "NAN", "ON"],
            ["^GSPC", "VOD.L", "0700.HK", "NULL", "ES=F"]
        ),
    ]

    @Test(.enabled(if: areThere, "the published files are not beside the package"), arguments: published)
    func `each published file has the members it must have`(
        file: String, group: String, count: Int, present: Set<String>, absent: Set<String>
    ) throws {
        let made = try groups(file, try Self.bytes(file))
        let members = try #require(made[group], "\(file) makes \(made.keys.sorted())")
        #expect(members.isSuperset(of: present), "\(present.subtracting(members))")
        #expect(members.isDisjoint(with: absent), "\(absent.intersection(members))")
        #expect(members.count == count, "\(members.sorted().prefix(60))")
        #expect(members.allSatisfy(SymbolSpelling.isUsual), "\(members.filter { !SymbolSpelling.isUsual($0) })")
    }
}
