import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct UniverseKeyTests {
    @Test(arguments: [
        ("nasdaq100", ["nasdaq100"]),
        ("sp500:nasdaq100:dow30", ["sp500", "nasdaq100", "dow30"]),
        ("  sp500 :\tnasdaq100 ", ["sp500", "nasdaq100"]),
        ("::sp500:: :dow30:", ["sp500", "dow30"]),
        ("sp500:dow30:sp500", ["sp500", "dow30"]),
        ("SPY:spy", ["SPY", "spy"]),
        ("S&P 500:größte Werte", ["S&P 500", "größte Werte"]),
    ])
    func `a key's parts are trimmed, none is empty and each counts once`(text: String, parts: [String]) {
        #expect(UniverseKey(text)?.parts == parts)
    }

    @Test(arguments: ["", " ", ":", " : :: \t"])
    func `a text without a name is no key`(text: String) {
        #expect(UniverseKey(text) == nil)
    }

    @Test func `the whole key may be one group's name, with or without the spaces around its colons`() {
        #expect(UniverseKey(" market_leaders:top_100 ")?.wholeNames == ["market_leaders:top_100"])
        #expect(
            UniverseKey("market_leaders : top_100")?.wholeNames == [
                "market_leaders : top_100", "market_leaders:top_100",
            ])
        #expect(UniverseKey("market_leaders : top_100")?.description == "market_leaders : top_100")
    }

    @Test func `four parts are many and three are not`() {
        #expect(UniverseKey("a:b:c")?.hasManyParts == false)
        #expect(UniverseKey("a:b:c:d")?.hasManyParts == true)
        #expect(UniverseKey("a:b:c:c")?.hasManyParts == false)
    }
}

@Suite(.timeLimit(.minutes(1))) struct NearestNamesTests {
    @Test(arguments: [
        ("", "", 0), ("abc", "abc", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 1),
        ("nasdaq100", "nasdaq10", 1), ("flaw", "lawn", 2), ("ca", "abc", 3),
    ])
    func `the distance counts insertions, deletions, replacements and swaps`(left: String, right: String, distance: Int)
    {
        #expect(NearestNames.distance(left, right) == distance)
        #expect(NearestNames.distance(right, left) == distance)
    }

    @Test func `the nearest names come first, whatever their case, and strangers do not come at all`() {
        let names = ["sp500", "nasdaq100", "dow30", "SPY", "QQQ", "nasdaq_composite"]
        #expect(NearestNames.nearest(to: "nasdaq", among: names) == ["nasdaq100", "nasdaq_composite"])
        #expect(NearestNames.nearest(to: "SP5000", among: names).first == "sp500")
        #expect(NearestNames.nearest(to: "NASDQA100", among: names).first == "nasdaq100")
        #expect(NearestNames.nearest(to: "dow30", among: ["DOW30", "dow300"]) == ["DOW30", "dow300"])
        #expect(NearestNames.nearest(to: "zzzzzz", among: names) == [])
        #expect(NearestNames.nearest(to: "sp50", among: (0..<9).map { "sp50\($0)" }, limit: 2) == ["sp500", "sp501"])
    }
}
