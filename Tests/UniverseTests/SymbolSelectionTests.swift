import MarketData
import Store
import Testing
import Universe

@Suite(.timeLimit(.minutes(1))) struct SymbolSelectionTests {
    private func symbols(_ names: String...) -> [Symbol] { names.compactMap { Symbol($0) } }

    /// Decides with a real mirror that knows only `tech` (A and B).
    private func select(
        key: String? = nil, list: String? = nil, fallback: SymbolSelection.Fallback = .nothing
    ) throws -> SymbolSelection {
        try MirrorFixture.run { fixture in
            try fixture.add("tech", ["B", "A"])
            let resolution = key.flatMap { UniverseKey($0) }.map { key in
                Result { () throws(UniverseError) in try fixture.resolve(key.text) }
            }
            return try SymbolSelection(universeKey: key, list: list, fallback: fallback, resolution: resolution)
        }
    }

    private func levels(_ selection: SymbolSelection) -> [SymbolSelection.Remark.Level] {
        selection.remarks.map(\.level)
    }

    @Test func `the universe key comes before the list`() throws {
        let selection = try select(key: "tech", list: "X,Y", fallback: .defaultList)
        #expect(selection.target == .symbols(symbols("A", "B")))
        #expect(selection.origin == .universeKey("tech"))
        #expect(selection.remarks.isEmpty)
        #expect(selection.summary == "2 symbols from universe key \"tech\" (\"tech\" UNIVERSE 2)")
    }

    @Test(arguments: [nil, "", "  ", " : "])
    func `without a key the list counts, trimmed, each once, in the order written`(key: String?) throws {
        let selection = try select(key: key, list: " MSFT, AAPL ,,MSFT,\tBRK.B,", fallback: .refusal)
        #expect(selection.target == .symbols(symbols("MSFT", "AAPL", "BRK.B")))
        #expect(selection.origin == .list)
        #expect(selection.remarks.isEmpty)
        #expect(selection.summary == "3 symbols from the plain list")
    }

    @Test(arguments: [
        "AAPL;MSFT;BRK.B", "AAPL MSFT BRK.B", "[\"AAPL\", \"MSFT\", \"BRK.B\"]", "['AAPL','MSFT','BRK.B']",
        "AM.AAPL,AM.MSFT,AM.BRK.B",
        "$AAPL, $MSFT, BRK-B", "aapl, msft, brk/b", "AAPL,\nMSFT,\nBRK B", "NASDAQ:AAPL,NASDAQ:MSFT,NYSE:BRK.B",
    ])
    func `a list is understood however its symbols are written side by side`(list: String) throws {
        #expect(try select(list: list).target == .symbols(symbols("AAPL", "MSFT", "BRK.B")))
    }

    @Test(arguments: [
        ("GLEN LN", "listed abroad"), ("^GSPC", "an index"), ("A*PL", "not a symbol"), ("\u{C4}", "not a symbol"),
    ])
    func `an entry that is no symbol is left out with the reason, and a list of nothing else says so`(
        entry: String, reason: String
    ) throws {
        let some = try select(list: "AAPL,\(entry)")
        #expect(some.target == .symbols(symbols("AAPL")))
        #expect(some.remarks.contains { $0.text.contains(reason) && $0.level == .warning }, "\(some.remarks)")
        let none = try select(list: entry)
        #expect(none.target == .nothing)
        #expect(none.remarks.contains { $0.text.contains("no entry of the list is a symbol") }, "\(none.remarks)")
    }

    @Test func `pulled members are spelt as the feed spells them, each once, with a word`() {
        var records = UniverseRecords(groups: [
            GroupRecord(
                identity: .init(name: "g", type: "UNIVERSE", environment: "DEFAULT"),
                members: [
                    .init(symbol: "AAPL"), .init(symbol: "BRK-B", weight: 1), .init(symbol: "BRK.B", weight: 2),
                    .init(symbol: "BRKA"), .init(symbol: "bf/b"), .init(symbol: "GLEN LN"), .init(symbol: "S1"),
                ]),
            GroupRecord(
                identity: .init(name: "h", type: "ETF", environment: "DEFAULT"), members: [.init(symbol: "MSFT")]),
        ])
        let plain = records.groups[1]
        let remarks = records.spellAsFeed()
        #expect(records.groups[0].members.map(\.symbol) == ["AAPL", "BF.B", "BRK.A", "BRK.B", "GLEN LN", "S1"])
        #expect(records.groups[1] == plain)
        #expect(remarks.count == 1 && remarks[0].contains("\"BRK-B\" is read as BRK.B"), "\(remarks)")
        #expect(remarks[0].contains("\"BRKA\" is read as BRK.A"), "\(remarks)")
        #expect(records.spellAsFeed().isEmpty)
    }

    @Test(arguments: [nil, "", " , ,"])
    func `with neither the default list is collected where that is the fallback, loudly`(list: String?) throws {
        let selection = try select(list: list, fallback: .defaultList)
        #expect(selection.target == .symbols(SymbolSelection.defaultSymbols) && selection.origin == .defaultList)
        #expect(levels(selection) == [.warning] && selection.remarks[0].text.contains("THE DEFAULT LIST IS COLLECTED"))
        #expect(selection.problem == "neither a universe key nor symbols are set")
        // A list of nothing but mistakes isn't a missing one.
        #expect(try select(list: "^GSPC", fallback: .defaultList).target == .nothing)
    }

    @Test(arguments: [nil, "", " , ,"], [SymbolSelection.Fallback.nothing, .refusal])
    func `with neither nothing is collected, and a warning says so`(list: String?, fallback: SymbolSelection.Fallback)
        throws
    {
        let selection = try select(list: list, fallback: fallback)
        #expect(selection.target == .nothing)
        #expect(selection.origin == .none)
        #expect(levels(selection) == [.warning])
        #expect(selection.summary == "no symbols")
    }

    @Test(arguments: [SymbolSelection.Fallback.nothing, .defaultList, .refusal])
    func `a key that gives nothing falls back to the list when there is one`(fallback: SymbolSelection.Fallback) throws
    {
        let selection = try select(key: "tehc", list: "X,Y", fallback: fallback)
        #expect(selection.target == .symbols(symbols("X", "Y")))
        #expect(selection.origin == .list)
        #expect(levels(selection).allSatisfy { $0 == .warning })
        #expect(selection.remarks.contains { $0.text.contains("nearest: \"tech\"") })
        #expect(selection.remarks.last?.text.contains("in place of universe key \"tehc\"") == true)
    }

    @Test func `a single connection falls back to the default list, loudly`() throws {
        let selection = try select(key: "tehc", fallback: .defaultList)
        #expect(
            selection.target
                == .symbols(symbols("AAPL", "GOOGL", "MSFT", "TSLA", "AMZN", "NFLX", "META", "NVDA")))
        #expect(selection.origin == .defaultList)
        #expect(selection.remarks.last?.level == .warning)
        #expect(selection.remarks.last?.text.contains("AAPL, GOOGL, MSFT, TSLA, AMZN, NFLX, META, NVDA") == true)
        #expect(selection.summary == "8 symbols from the default list")
    }

    @Test func `a single connection refuses to start when told to`() throws {
        #expect(throws: UniverseError.self) { try select(key: "tehc", fallback: .refusal) }
        #expect(throws: UniverseError.self) { try select(key: "tehc", list: "ÄÖ", fallback: .refusal) }
    }

    @Test func `one of several connections collects nothing, as an error`() throws {
        let selection = try select(key: "tehc", fallback: .nothing)
        #expect(selection.target == .nothing)
        #expect(levels(selection).contains(.error))
    }

    @Test func `a list without a single symbol is no list to fall back to`() throws {
        let selection = try select(key: "tehc", list: "ÄÖ, A*B", fallback: .defaultList)
        #expect(selection.origin == .defaultList)
        #expect(selection.remarks.contains { $0.text.contains("\"ÄÖ\"") })
    }

    @Test(arguments: ["*", " * ", "*,*"])
    func `a star stands for everything`(list: String) throws {
        let selection = try select(list: list)
        #expect(selection.target == .everything)
        #expect(selection.origin == .list)
        #expect(selection.remarks.isEmpty)
        #expect(selection.summary == "every symbol of the feed from the plain list")
    }

    @Test func `a star among symbols covers them, with a warning`() throws {
        let selection = try select(list: "AAPL,*")
        #expect(selection.target == .everything)
        #expect(levels(selection) == [.warning])
    }

    @Test func `odd entries of the list are reported and the others kept`() throws {
        let selection = try select(list: "aapl,BRK/B,A*B,Ä,GOOD")
        #expect(selection.target == .symbols(symbols("AAPL", "BRK.B", "GOOD")))
        #expect(levels(selection) == [.warning, .warning, .warning, .warning])
    }

    @Test func `warnings of a key that resolves are passed on`() throws {
        let selection = try select(key: "tech:nothing_like_it")
        #expect(selection.target == .symbols(symbols("A", "B")))
        #expect(levels(selection) == [.warning])
        #expect(selection.remarks[0].text.contains("nothing_like_it"))
    }

    @Test func `what is not as the key says is told as a problem, whatever is collected in its place`() throws {
        #expect(try select(key: "tech").problem == nil)
        #expect(try select(list: "X").problem == nil)
        for list in ["X,A*B", "A*B"] { #expect(try select(list: list).problem?.hasSuffix("\"A*B\"") == true) }
        #expect(try select(list: "*,A*B").problem == nil)
        let both = try select(key: "tehc", list: "X,A*B").problem ?? ""
        #expect(both.contains("\"tehc\"") && both.hasSuffix("\"A*B\""), "\(both)")
        #expect(try select(key: "tech:nothing_like_it").problem?.contains("\"nothing_like_it\"") == true)
        for fallback in [SymbolSelection.Fallback.nothing, .defaultList] {
            #expect(try select(key: "tehc", fallback: fallback).problem?.contains("\"tehc\"") == true)
        }
        #expect(try select(key: "tehc", list: "X").problem?.contains("\"tehc\"") == true)
    }

    @Test func `every remark fits one line`() throws {
        let selection = try select(key: "te\nhc", list: "a\nb c,d", fallback: .defaultList)
        #expect(!selection.remarks.isEmpty)
        #expect(selection.remarks.allSatisfy { !$0.text.contains("\n") })
    }
}
