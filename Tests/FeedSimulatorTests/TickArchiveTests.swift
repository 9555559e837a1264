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
        #expect(TickArchive().answer(request, apiKey: nil, isRefused: false)?.status == status)
    }
}
