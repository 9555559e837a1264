import Foundation
import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct TradingDaySpanTests {
    private static let calendar: Calendar = {
        var calendar = Calendar(identifier: .iso8601)
        calendar.timeZone = TimeZone(identifier: "America/New_York")!
        return calendar
    }()

    @Test func `a day is from midnight to midnight in New York, on every day of the known years`() throws {
        var date = try #require(Self.calendar.date(from: DateComponents(year: 2024, month: 1, day: 1)))
        var day = try #require(TradingDay("2024-01-01"))
        var lengths: [Int64: Int] = [:]
        while day.description < "2033" {
            let next = try #require(Self.calendar.date(byAdding: .day, value: 1, to: date))
            #expect(day.span.lowerBound == Int64(date.timeIntervalSince1970 * 1000), "\(day)")
            #expect(day.span.upperBound == Int64(next.timeIntervalSince1970 * 1000), "\(day)")
            #expect(TradingDay(at: day.span.lowerBound) == day && TradingDay(at: day.span.upperBound - 1) == day)
            let monday = try #require(Self.calendar.dateInterval(of: .weekOfYear, for: date)).start
            #expect(day.monday == TradingDay(at: Int64(monday.timeIntervalSince1970 * 1000)), "\(day)")
            #expect(day.firstOfMonth.description == day.description.prefix(8) + "01")
            lengths[(day.span.upperBound - day.span.lowerBound) / 3_600_000, default: 0] += 1
            (date, day) = (next, day.advanced(by: 1))
        }
        #expect(lengths == [23: 9, 24: 3288 - 18, 25: 9])
        #expect(try #require(TradingDay("2024-01-01")).distance(to: day) == 3288)
    }

    @Test(arguments: ["1969-12-22", "1969-12-28"]) func `a week before 1970 begins on a Monday too`(text: String) {
        #expect(TradingDay(text)?.monday.description == "1969-12-22")
    }
}
