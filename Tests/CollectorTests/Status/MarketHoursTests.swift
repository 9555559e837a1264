import Collector
import MarketData
import Testing

/// The sessions of the days around Thanksgiving, 2026-11-26; the Friday after it is a half day.
@Suite(.timeLimit(.minutes(1))) struct MarketHoursTests {
    private static func moment(_ day: String, _ hour: Int, _ minute: Int = 0) throws -> Int64 {
        try #require(TradingDay(day)).moment(minuteOfDay: hour * 60 + minute)
    }

    @Test(arguments: [
        ("2026-11-25", 3, MarketHours.Session.closed, "2026-11-25", 4 * 60),
        ("2026-11-25", 4, .preMarket, "2026-11-25", 9 * 60 + 30),
        ("2026-11-25", 10, .regular, "2026-11-25", 16 * 60),
        ("2026-11-25", 16, .afterHours, "2026-11-25", 20 * 60),
        ("2026-11-25", 20, .closed, "2026-11-27", 4 * 60),
        ("2026-11-26", 12, .holiday, "2026-11-27", 4 * 60),
        ("2026-11-27", 12, .regular, "2026-11-27", 13 * 60),
        ("2026-11-27", 16, .afterHours, "2026-11-27", 17 * 60),
        ("2026-11-27", 17, .closed, "2026-11-30", 4 * 60),
        ("2026-11-28", 12, .closed, "2026-11-30", 4 * 60),
    ])
    func `each moment has its part of the day, which lasts until the next begins`(
        day: String, hour: Int, session: MarketHours.Session, lastDay: String, minute: Int
    ) throws {
        let hours = MarketHours(at: try Self.moment(day, hour))
        #expect(hours.session == session)
        #expect(hours.until == (try Self.moment(lastDay, minute / 60, minute % 60)))
    }
}
