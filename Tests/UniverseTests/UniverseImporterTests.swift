import MarketData
import Store
import Testing

@testable import Universe

/// Files become groups: names, modes, refusals, sectors.
@Suite(.timeLimit(.minutes(1))) struct UniverseImporterTests {
    private func file(_ name: String, _ text: String) -> UniverseImporter.File {
        .init(name: name, bytes: Array(text.utf8))
    }

    private let options = UniverseImporter.Options(environment: "DEFAULT")

    private func members(_ fixture: MirrorFixture, _ name: String, _ type: String = "UNIVERSE") throws -> [MemberRecord]
    {
        try fixture.mirror.withSnapshot {
            try $0.group(.init(name: name, type: type, environment: "DEFAULT"))?.record.members ?? []
        }
    }

    @Test func `name and type come from the content, else from the file's name`() throws {
        try MirrorFixture.run { fixture in
            let importer = UniverseImporter(mirror: fixture.mirror)
            let reports = try importer.run(
                [
                    file("anything.csv", HoldingsImportTests.spdr), file("list.v2.csv", "AAPL\n"),
                    file("qqq_holdings.csv", "symbol,weight\nAAPL,100\n"),
                    file(
                        "holdings-daily-us-en-xlk.csv",
                        HoldingsImportTests.spdr.replacing("Ticker Symbol:,SPY\n", with: "")),
                    file("weights.csv", "symbol,weight\nAAPL,100\n"), file("voo.csv", HoldingsImportTests.vanguard),
                ], options)
            #expect(reports.map { $0.group?.name } == ["SPY", "list.v2", "QQQ", "XLK", "weights", "VOO"])
            #expect(reports.map { $0.group?.type } == [.etf, .universe, .etf, .etf, .universe, .etf])
            #expect(reports.allSatisfy { $0.outcome == .written })
            #expect(try fixture.mirror.groups(environment: "DEFAULT").count == 6)
        }
    }

    @Test func `a bad file does not stop the others, and two files for one group are not mixed up`() throws {
        try MirrorFixture.run { fixture in
            let reports = try UniverseImporter(mirror: fixture.mirror).run(
                [file("bad.csv", ""), file("a.csv", "AAPL\n"), file("a.txt", "MSFT\n"), file("b.csv", "IBM\n")], options
            )
            guard case .failed = reports[0].outcome, case .failed(let twice) = reports[2].outcome else {
                return #expect(Bool(false), "\(reports.map(\.outcome))")
            }
            #expect(twice.contains("a.csv"))
            #expect(try members(fixture, "a").map(\.symbol) == ["AAPL"])
            #expect(try members(fixture, "b").map(\.symbol) == ["IBM"])
        }
    }

    @Test func `a file whose name gives no name for a group does not stop the others`() throws {
        try MirrorFixture.run { fixture in
            let names = [",.csv", " (1).csv", "::.csv", "\u{200B}.csv", "a\u{200B}b.csv"]
            let reports = try UniverseImporter(mirror: fixture.mirror).run(names.map { file($0, "AAPL\n") }, options)
            for report in reports.dropLast() {
                guard case .failed(let text) = report.outcome else {
                    #expect(Bool(false), "\(report.file): \(report.outcome)")
                    continue
                }
                #expect(text.contains("--name"))
            }
            #expect(try fixture.mirror.groups(environment: "DEFAULT").map(\.name) == ["ab"])
        }
    }

    @Test func `a name whose accents are written in another way is that of the same group`() throws {
        try MirrorFixture.run { fixture in
            let importer = UniverseImporter(mirror: fixture.mirror)
            _ = try importer.run([file("caf\u{E9}.csv", "AAPL\nMSFT\n")], options)
            let reports = try importer.run([file("cafe\u{301}.csv", "AAPL\nIBM\nMSFT\n")], options)
            #expect(reports.map(\.isNew) == [false])
            #expect(try fixture.mirror.groups(environment: "DEFAULT").map(\.memberCount) == [3])
        }
    }

    @Test func `an incremental import leaves the same file alone and shows what another one changes`() throws {
        try MirrorFixture.run { fixture in
            let importer = UniverseImporter(mirror: fixture.mirror)
            var options = options
            options.mode = .incremental
            let first = file("f.csv", "symbol,weight\nA,50\nB,30\nC,20\nD,0\nE,0\n")
            #expect(try importer.run([first], options)[0].outcome == .written)
            let counter = try fixture.mirror.changeCounter()
            #expect(try importer.run([first], options)[0].outcome == .unchanged)
            #expect(try fixture.mirror.changeCounter() == counter)
            let report = try importer.run([file("f.csv", "symbol,weight\nA,50\nB,31\nC,19\nD,0\nF,0\n")], options)[0]
            #expect(report.outcome == .written)
            #expect(report.difference?.added == ["F"] && report.difference?.removed == ["E"])
            #expect(report.difference?.reweighted.map(\.symbol) == ["B", "C"])
            #expect(try members(fixture, "f").map(\.weight) == [50, 31, 19, 0, 0])
        }
    }

    @Test func `a dry run says the same and writes nothing`() throws {
        try MirrorFixture.run { fixture in
            var options = options
            options.isDryRun = true
            let counter = try fixture.mirror.changeCounter()
            let report = try UniverseImporter(mirror: fixture.mirror).run([file("f.csv", "A\nB\n")], options)[0]
            #expect(report.outcome == .written && report.difference?.added == ["A", "B"])
            #expect(try fixture.mirror.changeCounter() == counter)
            #expect(try fixture.mirror.groups(environment: nil).isEmpty)
        }
    }

    @Test func `a change of more than half asks for force`() throws {
        try MirrorFixture.run { fixture in
            let importer = UniverseImporter(mirror: fixture.mirror)
            _ = try importer.run([file("f.csv", "A\nB\nC\nD\n")], options)
            let small = file("f.csv", "A\nB\nC\nE\n")
            #expect(try importer.run([small], options)[0].outcome == .written)
            let large = file("f.csv", "A\nX\nY\nZ\n")
            guard case .refused(let text) = try importer.run([large], options)[0].outcome else {
                return #expect(Bool(false))
            }
            #expect(text.contains("--force"))
            #expect(try members(fixture, "f").map(\.symbol) == ["A", "B", "C", "E"])
            var forced = options
            forced.force = true
            #expect(try importer.run([large], forced)[0].outcome == .written)
            #expect(try members(fixture, "f").map(\.symbol) == ["A", "X", "Y", "Z"])
        }
    }

    @Test func `sector and industry columns make sector groups, and a stock moves with its file`() throws {
        try MirrorFixture.run { fixture in
            let importer = UniverseImporter(mirror: fixture.mirror)
            var options = options
            options.derivesSectors = true
            let text = "symbol,name,sector,industry\nXOM,x,Energy,Oil\nAAPL,a,Tech,Phones\nIBM,i,Tech,\nT,t,,\n"
            let report = try importer.run([file("all.csv", text)], options)[0]
            #expect(report.sectors == 2)
            #expect(report.remarks.contains { $0.contains("T") && $0.contains("no sector") })
            #expect(try members(fixture, "Tech", "SECTOR").map(\.symbol) == ["AAPL", "IBM"])
            #expect(try members(fixture, "Energy", "SECTOR").first?.metadata == "{\"industry\": \"Oil\"}")
            _ = try importer.run([file("all.csv", text.replacing("IBM,i,Tech", with: "IBM,i,Energy"))], options)
            #expect(try members(fixture, "Tech", "SECTOR").map(\.symbol) == ["AAPL"])
            #expect(try members(fixture, "Energy", "SECTOR").map(\.symbol) == ["IBM", "XOM"])
            let coverage = SectorDerivation.coverage(
                of: try fixture.mirror.contents().groups, environment: "DEFAULT")
            #expect(coverage.stocks == 4 && coverage.classified == 3 && coverage.missing == ["T"])
            #expect(coverage.share == 0.75)
        }
    }

    @Test func `a file whose group is refused changes no sector`() throws {
        try MirrorFixture.run { fixture in
            let importer = UniverseImporter(mirror: fixture.mirror)
            var options = options
            options.derivesSectors = true
            _ = try importer.run([file("f.csv", "symbol,sector\nA,Tech\nB,Tech\nC,Energy\n")], options)
            let report = try importer.run([file("f.csv", "symbol,sector\nA,Energy\nX,Energy\nY,Energy\n")], options)[0]
            guard case .refused = report.outcome else { return #expect(Bool(false), "\(report.outcome)") }
            #expect(report.sectors == 0)
            #expect(try members(fixture, "Tech", "SECTOR").map(\.symbol) == ["A", "B"])
            #expect(try members(fixture, "Energy", "SECTOR").map(\.symbol) == ["C"])
        }
    }

    @Test func `sectors are derived from the sector ETFs, and force moves stocks that have one`() throws {
        try MirrorFixture.run { fixture in
            try fixture.mirror.apply([
                GroupChange(
                    definition: .init(name: "XLK", type: .etf),
                    members: [.init(symbol: "AAPL", weight: 20), .init(symbol: "V", weight: 1)]),
                GroupChange(definition: .init(name: "XLF", type: .etf), members: [.init(symbol: "V", weight: 8)]),
                GroupChange(definition: .init(name: "Energy", type: .sector), members: [.init(symbol: "AAPL")]),
                GroupChange(definition: .init(name: "SPY", type: .etf), members: [.init(symbol: "ZZZ")]),
            ])
            let importer = UniverseImporter(mirror: fixture.mirror)
            let dry = try importer.deriveSectors(environment: "DEFAULT", isDryRun: true)
            let kept = try importer.deriveSectors(environment: "DEFAULT")
            #expect(dry.sectors == kept.sectors && kept.sectors == ["Financials"])
            #expect(kept.coverage.missing == ["ZZZ"])
            #expect(kept.remarks.contains { $0.contains("XLE") })
            #expect(try members(fixture, "Financials", "SECTOR").map(\.symbol) == ["V"])
            #expect(try members(fixture, "Energy", "SECTOR").map(\.symbol) == ["AAPL"])
            let forced = try importer.deriveSectors(environment: "DEFAULT", force: true)
            #expect(forced.sectors.contains("Information Technology"))
            #expect(try members(fixture, "Energy", "SECTOR").isEmpty)
            #expect(try importer.deriveSectors(environment: "DEFAULT", force: true).sectors.isEmpty)
        }
    }

    @Test(.enabled(if: SharedUniverses.areThere, "the sample universes are not beside the package"))
    func `the sample files have the sizes they are known to have, joined too`() throws {
        try MirrorFixture.run { fixture in
            let names = ["sp500", "nasdaq100", "dow30", "spy_holdings", "qqq_holdings"]
            let files = try names.map { UniverseImporter.File(name: "\($0).csv", bytes: try SharedUniverses.bytes($0)) }
            let reports = try UniverseImporter(mirror: fixture.mirror).run(files, options)
            #expect(reports.allSatisfy { $0.outcome == .written && $0.problems.isEmpty && $0.remarks.isEmpty })
            for (key, count) in [
                ("sp500", 503), ("nasdaq100", 101), ("dow30", 30), ("sp500:nasdaq100", 516), ("SPY:nasdaq100", 536),
            ] {
                let symbols = try fixture.resolve(key).symbols
                #expect(symbols.count == count, "\(key)")
                #expect(symbols == symbols.sorted() && Set(symbols).count == count)
            }
        }
    }
}
