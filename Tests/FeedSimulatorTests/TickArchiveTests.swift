import MarketData
import Testing

@testable import FeedServer
@testable import FeedSimulator

@Suite(.timeLimit(.minutes(1))) struct TickArchiveTests {
    @Test(
        arguments: [
            ("cursor=0_1_1_100_0", 200), ("cursor=0_1_1_-1_0", 400), ("cursor=0_1_1_100_-1", 400),
            ("cursor=0_1_1_100_9223372036854775807", 400), ("cursor=0_1_1_9223372036854775807_0", 400),
            ("cursor=1_0_1_100_0", 400), ("cursor=0_1_1_100", 400),
            ("timestamp.gte=9223372036854775807&timestamp.lt=9223372036854775807", 200),
            ("timestamp.gte=-9223372036854775808&timestamp.lt=1", 200),
        ])
    func `a question at the edge is answered or refused, and ends nothing`(query: String, status: Int) {
        let request = PlainRequest(target: "/v3/trades/AAPL?\(query)", authorization: nil, origin: "http://box:8765")
        #expect(TickArchive().answer(request, isAdmitted: true, isRefused: false)?.status == status)
    }

    @Test func `times are in nanoseconds, however they were sent`() throws {
        let frame =
            #"[{"ev":"T","sym":"AAPL","p":1,"s":1,"t":1704205801000,"trft":1704205800999,"pt":1704205800998000123},"#
            + #"{"ev":"T","sym":"AAPL","p":1,"s":1,"t":1704205802000000456,"trft":1704205801999000000,"pt":1704205801998}]"#
        var block = FrameBlock(capacity: 0)
        Array(frame.utf8).withUnsafeBytes { block.append($0, counts: FrameScan.count($0) ?? KindCounts(), time: 0) }
        let archive = TickArchive()
        archive.add(block, 0..<1)
        let request = PlainRequest(target: "/v3/trades/AAPL?order=asc", authorization: nil, origin: "http://box:8765")
        let answer = try #require(archive.answer(request, isAdmitted: true, isRefused: false))
        let trades = String(decoding: answer.body, as: UTF8.self).split(separator: "sip_timestamp").dropFirst()
        #expect(trades.count == 2)
        for time in ["participant_timestamp\":1704205800998000123", "trf_timestamp\":1704205800999000000"] {
            #expect(trades.first?.contains(time) == true)
        }
        for time in ["participant_timestamp\":1704205801998000000", "trf_timestamp\":1704205801999000000"] {
            #expect(trades.last?.contains(time) == true)
        }
    }
}
