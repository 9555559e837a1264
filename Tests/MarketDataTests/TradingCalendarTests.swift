import Foundation
import MarketData
import Testing

@Suite(.timeLimit(.minutes(1))) struct TradingCalendarTests {
    /// The New York calendar of a library that shares no code with ours.
    private static let calendar: Calendar = {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(identifier: "America/New_York")!
        return calendar
    }()

    private func milliseconds(_ year: Int, _ month: Int, _ day: Int, _ hour: Int = 12, _ minute: Int = 0) -> Int64 {
        let parts = DateComponents(year: year, month: month, day: day, hour: hour, minute: minute)
        return Int64(Self.calendar.date(from: parts)!.timeIntervalSince1970 * 1000)
    }

    /// The holidays by their rules: fixed ones move from Sunday to Monday and from Saturday to Friday, New Year's Day
    /// from Sunday only.
    private func isHoliday(_ date: Date) -> Bool {
        let calendar = Self.calendar
        let parts = calendar.dateComponents([.year, .month, .day, .weekday], from: date)
        let (month, day, weekday) = (parts.month!, parts.day!, parts.weekday!)
        let which = (day - 1) / 7 + 1
        func fixed(_ m: Int, _ d: Int, movesBack: Bool = true) -> Bool {
            if month == m && day == d { return true }
            if month == m && day == d + 1 && weekday == 2 { return true }
            return movesBack && month == m && day == d - 1 && weekday == 6
        }
        if fixed(1, 1, movesBack: false) || fixed(6, 19) || fixed(7, 4) || fixed(12, 25) { return true }
        if weekday == 2 {
            if (month == 1 || month == 2) && which == 3 { return true }
            if month == 5 && day > 24 || month == 9 && which == 1 { return true }
        }
        if month == 11 && weekday == 5 && which == 4 { return true }
        // Two days before Easter Sunday (the anonymous Gregorian computus).
        let y = parts.year!
        let (a, b, c) = (y % 19, y / 100, y % 100)
        let h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30
        let l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7
        let m = (a + 11 * h + 22 * l) / 451
        let easter = calendar.date(
            from: DateComponents(year: y, month: (h + l - 7 * m + 114) / 31, day: (h + l - 7 * m + 114) % 31 + 1))!
        return calendar.isDate(date, inSameDayAs: calendar.date(byAdding: .day, value: -2, to: easter)!)
    }

    /// The half days by their rules, on days with trading: the day after Thanksgiving, and the days before Independence
    /// Day and Christmas.
    private func isHalfDay(_ date: Date) -> Bool {
        let parts = Self.calendar.dateComponents([.month, .day, .weekday], from: date)
        let isAfterThanksgiving = parts.month == 11 && parts.weekday == 6 && 23...29 ~= parts.day!
        return isAfterThanksgiving || [parts.month, parts.day] == [7, 3] || [parts.month, parts.day] == [12, 24]
    }

    @Test func `every day of the known years is what the rules say`() {
        var date = Self.calendar.date(from: DateComponents(year: 2024, month: 1, day: 1, hour: 12))!
        var trading = 0
        while true {
            let parts = Self.calendar.dateComponents([.year, .month, .day, .weekday], from: date)
            guard parts.year! <= 2032 else { break }
            let isMourning = (parts.year, parts.month, parts.day) == (2025, 1, 9)
            let isClosed = parts.weekday == 1 || parts.weekday == 7 || isHoliday(date) || isMourning
            let session = TradingDay(at: Int64(date.timeIntervalSince1970 * 1000)).session
            #expect((session == nil) == isClosed, "\(parts)")
            trading += session == nil ? 0 : 1
            if let session {
                let isHalf = session.regularClose == milliseconds(parts.year!, parts.month!, parts.day!, 13)
                let hour = isHalf ? 13 : 16
                let isHalfByRule = isHalfDay(date)
                #expect(isHalf == isHalfByRule, "\(parts)")
                #expect(session.regularOpen == milliseconds(parts.year!, parts.month!, parts.day!, 9, 30))
                #expect(session.regularClose == milliseconds(parts.year!, parts.month!, parts.day!, hour))
                #expect(session.open == milliseconds(parts.year!, parts.month!, parts.day!, 4))
                #expect(session.close == milliseconds(parts.year!, parts.month!, parts.day!, hour + 4))
            }
            date = Self.calendar.date(byAdding: .day, value: 1, to: date)!
        }
        #expect(trading == 252 + 250 + 251 + 251 + 251 + 251 + 251 + 251 + 252)
    }

    @Test(arguments: [(2024, 7, 3), (2025, 11, 28), (2026, 12, 24), (2028, 7, 3), (2029, 12, 24), (2030, 11, 29)])
    func `half days`(year: Int, month: Int, day: Int) {
        #expect(
            TradingDay(at: milliseconds(year, month, day)).session?.regularClose == milliseconds(year, month, day, 13))
    }

    @Test func `a span is open when it touches a session`() {
        // From Friday evening to Monday before the first trades, across a change of the clocks.
        #expect(
            !TradingCalendar.isOpen(from: milliseconds(2026, 3, 6, 20, 0), to: milliseconds(2026, 3, 9, 3, 59)))
        #expect(TradingCalendar.isOpen(from: milliseconds(2026, 3, 6, 20, 0), to: milliseconds(2026, 3, 9, 4, 0)))
        #expect(TradingCalendar.isOpen(from: milliseconds(2026, 3, 6, 19, 59), to: milliseconds(2026, 3, 8)))
        // A half day ends early, and so do its late hours.
        #expect(!TradingCalendar.isOpen(from: milliseconds(2026, 11, 27, 17, 0), to: milliseconds(2026, 11, 30, 3, 0)))
        #expect(TradingCalendar.isOpen(from: milliseconds(2026, 1, 1), to: milliseconds(2026, 2, 1)))
        #expect(!TradingCalendar.isOpen(from: 5, to: 4))
    }

    @Test(arguments: [(2024, 1, 2, 24), (2024, 3, 10, 23), (2024, 11, 3, 25), (2024, 2, 29, 24)])
    func `a day of New York goes from midnight to midnight`(year: Int, month: Int, day: Int, hours: Int64) throws {
        func pad(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let found = try #require(TradingCalendar.newYorkDay("\(year)-\(pad(month))-\(pad(day))"))
        #expect(found.lowerBound == milliseconds(year, month, day, 0))
        #expect(found.upperBound - found.lowerBound == hours * 3_600_000)
    }

    @Test(arguments: ["2024-02-30", "2024-13-01", "2024-1-2", "today", "", "2024-01-02x", "+024-01-02"])
    func `a text that is no date is no day`(text: String) {
        #expect(TradingCalendar.newYorkDay(text) == nil)
    }

    @Test func `in a year that is not known every weekday is open`() {
        #expect(
            TradingDay(at: milliseconds(2013, 10, 8)).session?.regularClose == milliseconds(2013, 10, 8, 16)
                && TradingDay(at: milliseconds(2013, 10, 6)).session == nil)
    }
}
