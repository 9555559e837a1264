import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct FeedChannelTests {
    @Test(arguments: ["AM.AAPL", "A.BRK.B", "T.*", "Q.X", "AM.*"])
    func `a channel is read as it is written`(text: String) {
        #expect(FeedChannel(text)?.description == text)
    }

    @Test(arguments: ["", "AM", "AM.", "XX.A", "AM.a,b", ".A", "AM*", "AM.*.*"])
    func `what names no kind or no symbol is no channel`(text: String) {
        #expect(FeedChannel(text) == nil)
    }

    @Test func `the first dot splits, so a share class stays whole`() {
        #expect(FeedChannel("T.BRK.B") == FeedChannel(kind: .trade, symbol: Symbol("BRK.B")))
        #expect(FeedChannel("A.*") == FeedChannel(kind: .secondBar, symbol: nil))
    }
}
