import Foundation
import Testing

@testable import MarketData

@Suite(.timeLimit(.minutes(1))) struct BarRollUpTests {
    private func bar(
        _ start: Int64, _ open: Double, _ high: Double, _ low: Double, _ close: Double, _ volume: Double,
        _ vwap: Double?
    ) -> Bar {
        Bar(
            symbol: Symbol("AAPL")!, interval: .minute, start: start, end: start + 60_000, open: open, high: high,
            low: low, close: close, volume: volume, vwap: vwap)
    }

    private func open(_ day: String) throws -> Int64 {
        try #require(TradingDay(day)?.session).regularOpen
    }

    @Test func `open is the first, close the last, high and low the extremes, volume the sum, VWAP weighted`() throws {
        let start = try open("2026-07-07")
        let bars = [
            bar(start, 10, 12, 9, 11, 100, 10.5), bar(start + 60_000, 11, 15, 10, 14, 300, 12.5),
            bar(start + 240_000, 14, 14, 8, 9, 0.25, nil), bar(start + 300_000, 9, 10, 9, 10, 50, 9.5),
        ]
        let found = BarRollUp(to: .minutes(5)).bars(of: bars)
        #expect(
            found == [
                BarRollUp.Bar(
                    start: start, end: start + 300_000, open: 10, high: 15, low: 8, close: 9, volume: 400.25, vwap: 12,
                    count: 3),
                BarRollUp.Bar(
                    start: start + 300_000, end: start + 600_000, open: 9, high: 10, low: 9, close: 10, volume: 50,
                    vwap: 9.5, count: 1),
            ])
        #expect(BarRollUp(to: .minutes(5)).bars(of: []).isEmpty)
    }

    @Test func `without a volume or a VWAP there is no VWAP`() throws {
        let start = try open("2026-07-07")
        let found = BarRollUp(to: .hours(1)).bars(of: [
            bar(start, 1, 1, 1, 1, 0, 5), bar(start + 60_000, 1, 1, 1, 1, 9, nil),
        ])
        #expect(found.map(\.vwap) == [nil] && found.map(\.volume) == [9])
    }

    /// Days around both changes of the clocks, in summer and in winter.
    @Test(arguments: ["2026-03-06", "2026-03-09", "2026-07-07", "2026-10-30", "2026-11-02"])
    func `a day is the New York date, and an hour begins with New York's`(text: String) throws {
        let day = try #require(TradingDay(text))
        let session = try #require(day.session)
        let minutes = stride(from: session.open, to: session.close, by: 60_000).map { bar($0, 1, 1, 1, 1, 1, 1) }
        let days = BarRollUp(to: .day).bars(of: minutes)
        #expect(days.map(\.start) == [day.span.lowerBound] && days.map(\.count) == [960])
        let hours = BarRollUp(to: .hours(1)).bars(of: minutes)
        #expect(hours.map(\.start) == (4..<20).map { day.moment(minuteOfDay: $0 * 60) })
        #expect(hours.allSatisfy { $0.count == 60 && $0.end == $0.start + 3_600_000 })
        let halves = BarRollUp(to: .minutes(30)).bars(of: minutes)
        #expect(halves.contains { $0.start == session.regularOpen } && halves.count == 32)
    }

    @Test func `the windows at the ends of a span are whole`() throws {
        let start = try open("2026-07-07")
        func whole(_ length: BarRollUp.Length, _ from: Int64?, _ to: Int64?) -> [Int64?] {
            let span = BarRollUp(to: length).whole(from: from, to: to)
            return [span.from, span.to]
        }
        let hour = [start - 1_800_000, start + 1_800_000]
        #expect(whole(.hours(1), start, start + 60_000) == hour)
        #expect(whole(.hours(1), hour[0], hour[1]) == hour)
        #expect(whole(.hours(1), nil, nil) == [nil, nil])
        // The clocks change on this day.
        let day = try #require(TradingDay("2026-11-01")).span
        #expect(whole(.day, day.lowerBound + 1, day.upperBound - 1) == [day.lowerBound, day.upperBound])
    }

    @Test func `the VWAP of a stock below a cent has its digits`() throws {
        let start = try open("2026-07-07")
        let bars = [
            bar(start, 0.0001, 0.0002, 0.0001, 0.0002, 200, 0.0001),
            bar(start + 60_000, 0.0001, 0.0002, 0.0001, 0.0002, 100, 0.0002),
        ]
        #expect(BarRollUp(to: .hours(1)).bars(of: bars).map(\.vwap) == [0.000133333])
    }

    @Test func `a bar of an impossible time is in no longer one`() throws {
        let bars = try [.min, -1, open("2026-07-07"), .max].map { start in
            Bar(
                symbol: Symbol("AAPL")!, interval: .minute, start: start, end: start, open: 1, high: 1, low: 1,
                close: 1,
                volume: 1)
        }
        #expect(BarRollUp(to: .day).bars(of: bars).map(\.count) == [1])
    }

    @Test func `bars of two days never share one`() throws {
        let friday = try #require(TradingDay("2026-10-30")?.session).close - 60_000
        let monday = try #require(TradingDay("2026-11-02")?.session).open
        for length in [BarRollUp.Length.day, .hours(12), .minutes(720)] {
            let found = BarRollUp(to: length).bars(of: [bar(friday, 1, 1, 1, 1, 1, 1), bar(monday, 2, 2, 2, 2, 2, 2)])
            #expect(found.map(\.volume) == [1, 2])
        }
    }

    @Test func `sums have no digits that binary numbers add`() throws {
        let start = try open("2026-07-07")
        let bars = (0..<3).map { bar(start + $0 * 60_000, 1, 1, 1, 1, 0.1, 0.7) }
        let found = BarRollUp(to: .minutes(5)).bars(of: bars)
        #expect(found.map(\.volume) == [0.3] && found.map(\.vwap) == [0.7])
    }

    @Test(arguments: [("5m", BarRollUp.Length.minutes(5)), ("90m", .minutes(90)), ("4h", .hours(4)), ("1d", .day)])
    func `lengths that a day is a multiple of are read`(text: String, length: BarRollUp.Length) {
        #expect(BarRollUp.Length(text) == length)
    }

    @Test(arguments: ["", "m", "0m", "-5m", "7m", "5h", "2d", "1440m", "24h", "1w", "5", "5 m"])
    func `others are refused`(text: String) {
        #expect(BarRollUp.Length(text) == nil)
    }
}
