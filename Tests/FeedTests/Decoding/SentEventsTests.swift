import MarketData
import Testing

@testable import Feed

@Suite(.timeLimit(.minutes(1))) struct `The events as the feed sent them` {
    private func decode(_ frames: [String], keeping kinds: KindSet = .market) -> EventBatch {
        var decoder = FrameDecoder()
        var statuses: [FeedStatus] = []
        var batch = EventBatch(connection: "test", receivedMicroseconds: 1)
        if !kinds.isEmpty { batch.sent = SentEvents(kinds) }
        for frame in frames {
            Array(frame.utf8).withUnsafeBytes { decoder.decode($0, into: &batch, statuses: &statuses) }
        }
        return batch
    }

    private static let bar = #"{"ev":"AM","sym":"A","v":5,"o":1,"c":2,"h":3,"l":1,"s":60000,"e":120000}"#
    private static let trade = #"{ "sym":"B", "ev":"T","p":1.50,"s":7,"t":1000,"odd":{"x":[1,{}]} }"#
    private static let quote = #"{"ev":"Q","sym":"C","bp":1e0,"t":1001}"#

    @Test func `lie beside the columns, in their order, and nothing beside what is no event`() throws {
        let batch = decode([
            #"[{"ev":"status","status":"success","message":"m"},\#(Self.trade) , \#(Self.bar),{"ev":"T"},17]"#,
            "[\(Self.quote),\(Self.quote)]", Self.bar, #"[{"ev":"Q","sym":"broken"#,
        ])
        let sent = try #require(batch.sent)
        #expect(sent.bars.map { sent.text[$0] } == [Self.bar, Self.bar])
        #expect(sent.trades.map { sent.text[$0] } == [Self.trade])
        #expect(sent.quotes.map { sent.text[$0] } == [Self.quote, Self.quote])
        #expect(batch.bars.count == 2 && batch.trades.count == 1 && batch.quotes.count == 2)
    }

    @Test func `are kept of wanted kinds alone, and no frame without one`() throws {
        let batch = decode(
            ["[\(Self.trade)]", "[\(Self.bar),\(Self.trade)]", "[\(Self.quote)]", Self.bar], keeping: .minuteBar)
        let sent = try #require(batch.sent)
        #expect(sent.bars.map { sent.text[$0] } == [Self.bar, Self.bar])
        #expect(sent.trades == [.none, .none] && sent.quotes == [.none])
        #expect(sent.byteCount == "[\(Self.bar),\(Self.trade)]".utf8.count + Self.bar.utf8.count)
    }

    @Test func `are not kept unless somebody wants them`() {
        #expect(decode(["[\(Self.bar)]"], keeping: []).sent == nil)
    }
}
