import MarketData
import Testing

@testable import FeedServer

@Suite(.timeLimit(.minutes(1))) struct `Requests for REST aggregates` {
    private func read(_ target: String) -> AggregateRequest.Reading {
        AggregateRequest.read(PlainRequest(target: target, authorization: nil, origin: "http://box:8765"))
    }

    private func wanted(_ target: String) throws -> AggregateRequest {
        guard case .request(let wanted) = read(target) else {
            throw Refused(reading: "\(read(target))")
        }
        return wanted
    }

    private struct Refused: Error {
        var reading: String
    }

    @Test func `name a ticker, a length and a range, and take the provider's defaults`() throws {
        let wanted = try wanted("/v2/aggs/ticker/BRK.B/range/1/minute/1704205800000/1704209400000")
        #expect(wanted.symbol == Symbol("BRK.B") && wanted.interval == .minute)
        #expect(wanted.starts == 1_704_205_800_000...1_704_209_400_000)
        #expect(wanted.isAscending && wanted.limit == 5000)
        #expect(try self.wanted("/v2/aggs/ticker/A/range/1/second/0/9?limit=70000&sort=desc").limit == 50_000)
    }

    @Test func `go on behind a cursor, in the order asked for`() throws {
        let path = "/v2/aggs/ticker/A/range/1/minute/0/9000"
        #expect(try wanted(path + "?cursor=5000").starts == 5000...9000)
        #expect(try wanted(path + "?cursor=5000&sort=desc").starts == 0...5000)
        #expect(read(path + "?cursor=9001") == .fault("the cursor doesn't belong to this range"))
        let page = try wanted(path + "?limit=2&sort=desc").answer(
            [Array("{\"t\":9000}".utf8), Array("{\"t\":8000}".utf8)], next: 7000, origin: "http://box:8765")
        #expect(
            String(decoding: page.body, as: UTF8.self)
                == #"{"ticker":"A","status":"OK","adjusted":false,"queryCount":2,"resultsCount":2,"count":2,"#
                + #""results":[{"t":9000},{"t":8000}],"#
                + #""next_url":"http://box:8765/v2/aggs/ticker/A/range/1/minute/0/9000?cursor=7000&limit=2&sort=desc"}"#
        )
    }

    @Test func `may name days of New York, the last one to its end`() throws {
        // From the first day of summer time, 23 hours long, to the day after.
        let wanted = try wanted("/v2/aggs/ticker/A/range/1/minute/2024-03-10/2024-03-11")
        #expect(wanted.starts == 1_710_046_800_000...(1_710_046_800_000 + 47 * 3_600_000 - 1))
    }

    @Test(arguments: [
        ("/v2/aggs/ticker/A/range/5/minute/0/9", "only bars of 1 minute or 1 second are available, not of 5 minute"),
        ("/v2/aggs/ticker/A/range/1/day/0/9", "only bars of 1 minute or 1 second are available, not of 1 day"),
        (
            "/v2/aggs/ticker/A/range/1/minute/0/9?limit=0",
            "limit must be a whole number above 0 (at most 50000 bars are returned)"
        ),
        ("/v2/aggs/ticker/A/range/1/minute/0/9?sort=up", "sort must be asc or desc"),
        ("/v2/aggs/ticker/a%20b/range/1/minute/0/9", "the path has no valid ticker"),
    ])
    func `that can't be met are refused with the reason`(target: String, why: String) {
        #expect(read(target) == .fault(why))
    }

    @Test(arguments: [
        "9/0", "2024-02-30/2024-03-01", "now/9", "2024-3-1/2024-03-02", "0/9223372036854775807", "-9/9",
    ])
    func `need a range that is one`(range: String) {
        guard case .fault(let why) = read("/v2/aggs/ticker/A/range/1/minute/\(range)") else {
            Issue.record("\(range) was taken")
            return
        }
        #expect(why.hasPrefix("from and to must be"))
    }

    @Test func `of another route are left to others`() {
        #expect(read("/v3/trades/A") == .elsewhere && read("/") == .elsewhere)
    }

    private static let keys: [(String?, String, String?)] = [
        ("Bearer k1", "/x?apiKey=k2", "k1"), (nil, "/x?apiKey=k%2B2&limit=1", "k+2"), ("Basic k1", "/x", nil),
    ]

    @Test(arguments: keys)
    func `carry a key in the header or the query`(header: String?, target: String, key: String?) {
        #expect(PlainRequest(target: target, authorization: header, origin: "").key == key)
    }
}
