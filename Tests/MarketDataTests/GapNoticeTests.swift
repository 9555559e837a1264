import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct `What a relay says of what it missed` {
    private func gap(_ symbols: [String], to: Int64? = nil) -> Gap {
        Gap(
            connection: "primary", symbols: symbols.compactMap { Symbol($0) }, events: [.trade, .limitBand],
            from: 1_704_205_800_000, to: to, cause: .shardMoved)
    }

    private func channels(_ names: String...) -> Set<FeedChannel> { Set(names.compactMap { FeedChannel($0) }) }

    @Test func `is read as it was written`() throws {
        let notice = try #require(
            GapNotice(gap(["AAPL", "BRK.B"], to: 1_704_205_860_000), of: channels("T.*", "LULD.BRK.B", "Q.AAPL")))
        let message = "from 1704205800000 to 1704205860000, shard moved: LULD.BRK.B,T.AAPL,T.BRK.B"
        #expect(notice.messages == [message])
        let read = try #require(GapNotice(message))
        #expect(read.messages == [message])
        #expect(Set(read.channels) == channels("T.AAPL", "T.BRK.B", "LULD.BRK.B"))
        let open = try #require(GapNotice(gap([]), of: channels("T.*", "T.AAPL")).flatMap { GapNotice($0.messages[0]) })
        #expect(open.to == nil && Set(open.channels) == channels("T.*", "T.AAPL"))
    }

    @Test func `is nothing to one who reads other channels`() {
        #expect(GapNotice(gap(["AAPL"]), of: channels("T.MSFT", "Q.*")) == nil)
    }

    @Test func `fits what a receiver keeps of a message, however many symbols it is of`() throws {
        let symbols = (0..<3000).map { "S\($0)" }
        let notice = try #require(GapNotice(gap(symbols), of: channels("T.*")))
        #expect(notice.messages.allSatisfy { $0.utf8.count <= 512 })
        #expect(notice.messages.flatMap { GapNotice($0)?.channels ?? [] }.count == 3000)
    }

    @Test(arguments: [
        "", "from", "from 1: T.A", "from 1, lost: T.A", "from x, disconnected: T.A", "from 5 to 4, disconnected: T.A",
        "from -1, disconnected: T.A", "from 9223372036854775807, disconnected: T.A",
        "from 1 until 2, disconnected: T.A",
        "1, disconnected", ":,",
    ])
    func `is not read into something else`(message: String) { #expect(GapNotice(message) == nil) }
}
