/// The trading hours of the New York Stock Exchange, which other US markets share, with the holidays and half days of
/// 2024 to 2032.
///
/// Trading here is 4:00 to 20:00 New York time: it includes the hours before and after the regular session, because
/// bars come then too. On a half day it ends at 17:00. In other years, every weekday counts as a full day.
public enum TradingCalendar {
    /// One day's trading, in milliseconds since the Unix epoch.
    public struct Session: Sendable, Equatable {
        /// When the first trades may happen: 4:00.
        public var open: Int64
        /// When the regular session begins: 9:30.
        public var regularOpen: Int64
        /// When the regular session ends: 16:00, or 13:00.
        public var regularClose: Int64
        /// When the last trades may happen: 20:00, or 17:00.
        public var close: Int64
    }

    /// Whether there was trading at any time of a span, its ends included, in milliseconds since the Unix epoch.
    public static func isOpen(from: Int64, to: Int64) -> Bool {
        guard from <= to else { return false }
        let (first, last) = (TradingDay(at: from), TradingDay(at: to))
        // A closed span is five days long at most; anything longer holds a session.
        guard first.distance(to: last) <= 10 else { return true }
        return (first...last).contains { day in day.session.map { from < $0.close && to >= $0.open } ?? false }
    }

    /// Returns a New York day from midnight to midnight, in milliseconds since the Unix epoch; `nil` when the text is
    /// not a date of 1970 or later (`2024-01-02`).
    public static func newYorkDay(_ text: String) -> Range<Int64>? {
        TradingDay(text).flatMap { $0.number >= 0 ? $0.span : nil }
    }

    // MARK: Days

    /// Returns the New York date at a time, as days since 1970-01-01.
    fileprivate static func newYorkDay(of milliseconds: Int64) -> Int {
        Int(floorDivided(milliseconds + newYorkOffset(milliseconds), 86_400_000))
    }

    /// Returns New York's offset from UTC at a time, in milliseconds: five hours behind, four from the second Sunday of
    /// March at 2:00 to the first Sunday of November at 2:00 (Energy Policy Act of 2005).
    fileprivate static func newYorkOffset(_ milliseconds: Int64) -> Int64 {
        let (year, _, _) = civil(Int(floorDivided(milliseconds, 86_400_000)))
        func sunday(_ month: Int, _ which: Int) -> Int64 {
            let first = dayNumber(year, month, 1)
            return Int64(first + (7 - weekday(first)) % 7 + 7 * (which - 1)) * 86_400_000
        }
        let begin = sunday(3, 2) + 7 * 3_600_000
        let end = sunday(11, 1) + 6 * 3_600_000
        return (milliseconds >= begin && milliseconds < end ? -4 : -5) * 3_600_000
    }

    private static func floorDivided(_ value: Int64, _ divisor: Int64) -> Int64 {
        value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor)
    }

    /// The day of the week: 0 is Sunday. 1970-01-01 was a Thursday.
    fileprivate static func weekday(_ number: Int) -> Int { ((number + 4) % 7 + 7) % 7 }

    /// Returns the days since 1970-01-01 of a Gregorian date, counted in years that begin in March.
    fileprivate static func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
    }

    /// The date of a number of days since 1970-01-01.
    public static func civil(_ number: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = number + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * march + 2) / 5 + 1)
    }

    // MARK: Facts

    /// Days without trading, other than weekends. 2025-01-09 was a day of mourning. 1 January 2028 is a Saturday, and
    /// no other day is closed for it.
    fileprivate static let holidays: Set<Int> = [
        2024_01_01, 2024_01_15, 2024_02_19, 2024_03_29, 2024_05_27, 2024_06_19, 2024_07_04, 2024_09_02, 2024_11_28,
        2024_12_25,
        2025_01_01, 2025_01_09, 2025_01_20, 2025_02_17, 2025_04_18, 2025_05_26, 2025_06_19, 2025_07_04, 2025_09_01,
        2025_11_27, 2025_12_25,
        2026_01_01, 2026_01_19, 2026_02_16, 2026_04_03, 2026_05_25, 2026_06_19, 2026_07_03, 2026_09_07, 2026_11_26,
        2026_12_25,
        2027_01_01, 2027_01_18, 2027_02_15, 2027_03_26, 2027_05_31, 2027_06_18, 2027_07_05, 2027_09_06, 2027_11_25,
        2027_12_24,
        2028_01_17, 2028_02_21, 2028_04_14, 2028_05_29, 2028_06_19, 2028_07_04, 2028_09_04, 2028_11_23, 2028_12_25,
        2029_01_01, 2029_01_15, 2029_02_19, 2029_03_30, 2029_05_28, 2029_06_19, 2029_07_04, 2029_09_03, 2029_11_22,
        2029_12_25,
        2030_01_01, 2030_01_21, 2030_02_18, 2030_04_19, 2030_05_27, 2030_06_19, 2030_07_04, 2030_09_02, 2030_11_28,
        2030_12_25,
        2031_01_01, 2031_01_20, 2031_02_17, 2031_04_11, 2031_05_26, 2031_06_19, 2031_07_04, 2031_09_01, 2031_11_27,
        2031_12_25,
        2032_01_01, 2032_01_19, 2032_02_16, 2032_03_26, 2032_05_31, 2032_06_18, 2032_07_05, 2032_09_06, 2032_11_25,
        2032_12_24,
    ]

    /// Days on which the regular session ends at 13:00.
    fileprivate static let halfDays: Set<Int> = [
        2024_07_03, 2024_11_29, 2024_12_24,
        2025_07_03, 2025_11_28, 2025_12_24,
        2026_11_27, 2026_12_24,
        2027_11_26,
        2028_07_03, 2028_11_24,
        2029_07_03, 2029_11_23, 2029_12_24,
        2030_07_03, 2030_11_29, 2030_12_24,
        2031_07_03, 2031_11_28, 2031_12_24,
        2032_11_26,
    ]
}

/// A day of the New York calendar, written `2026-11-24`.
public struct TradingDay: Sendable, Hashable, Strideable, CustomStringConvertible {
    /// The days since 1970-01-01.
    let number: Int

    init(number: Int) { self.number = number }

    /// The New York date at a time, in milliseconds since the Unix epoch.
    public init(at milliseconds: Int64) { number = TradingCalendar.newYorkDay(of: milliseconds) }

    /// Reads `2026-11-24`; `nil` for anything else, including a date that does not exist.
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == [4, 2, 2], let year = Int(parts[0]), let month = Int(parts[1]),
            let day = Int(parts[2])
        else { return nil }
        number = TradingCalendar.dayNumber(year, month, day)
        // A date that does not exist comes out as another one.
        guard description == text else { return nil }
    }

    /// The last day whose bars are final at a time, in milliseconds since the Unix epoch.
    public static func lastFinal(at milliseconds: Int64) -> TradingDay {
        var day = TradingDay(at: milliseconds)
        while !day.isFinal(at: milliseconds) { day = day.before }
        return day
    }

    /// The hours of trading; `nil` on a weekend or a holiday.
    public var session: TradingCalendar.Session? {
        let (year, month, day) = TradingCalendar.civil(number)
        let key = year * 10_000 + month * 100 + day
        guard 1...5 ~= TradingCalendar.weekday(number), !TradingCalendar.holidays.contains(key) else { return nil }
        let (regularClose, close) = TradingCalendar.halfDays.contains(key) ? (13, 17) : (16, 20)
        return TradingCalendar.Session(
            open: moment(minuteOfDay: 4 * 60), regularOpen: moment(minuteOfDay: 9 * 60 + 30),
            regularClose: moment(minuteOfDay: regularClose * 60), close: moment(minuteOfDay: close * 60))
    }

    /// When the day's bars no longer change, in milliseconds since the Unix epoch: late trades change them for up to a
    /// quarter of an hour after the day's trading. `nil` without trading.
    public var finalTime: Int64? { session.map { $0.close + 15 * 60_000 } }

    /// Whether this day had trading and its bars no longer change at a time, in milliseconds since the Unix epoch.
    public func isFinal(at milliseconds: Int64) -> Bool { finalTime.map { milliseconds >= $0 } ?? false }

    /// Returns the first moment at a time of day in New York at which this day's bars no longer change, in milliseconds
    /// since the Unix epoch; `nil` if it has no trading.
    ///
    /// - Parameter delay: how late events may arrive, in milliseconds.
    public func firstFinal(atMinute minute: Int, delay: Int64) -> Int64? {
        guard session != nil else { return nil }
        var last = self
        while !isFinal(at: last.moment(minuteOfDay: minute) - delay) { last = last.after }
        return last.moment(minuteOfDay: minute)
    }

    /// The number of days from this day to another.
    public func distance(to other: TradingDay) -> Int { other.number - number }

    /// The day that is `days` days later.
    public func advanced(by days: Int) -> TradingDay { TradingDay(number: number + days) }

    /// The calendar day before.
    public var before: TradingDay { advanced(by: -1) }
    /// The calendar day after.
    public var after: TradingDay { advanced(by: 1) }
    /// The Monday of the day's week.
    public var monday: TradingDay { advanced(by: -((TradingCalendar.weekday(number) + 6) % 7)) }
    /// The first day of the day's month.
    public var firstOfMonth: TradingDay { TradingDay(description.prefix(8) + "01") ?? self }

    /// From midnight to midnight in New York, in milliseconds since the Unix epoch: 23 or 25 hours if clocks change.
    public var span: Range<Int64> { midnight..<after.midnight }

    /// The midnight at which the day begins. The clocks change at 2:00, so it still has the offset of the day before.
    private var midnight: Int64 { before.moment(minuteOfDay: 24 * 60) }

    /// The moment when a New York clock shows a time of this day, in milliseconds since the Unix epoch. On the Sundays
    /// when the clocks change, the hours before the change are an hour off.
    public func moment(minuteOfDay minute: Int) -> Int64 {
        let midnight = Int64(number) * 86_400_000
        return midnight + Int64(minute) * 60_000 - TradingCalendar.newYorkOffset(midnight + 17 * 3_600_000)
    }

    /// The date.
    public var description: String {
        let (year, month, day) = TradingCalendar.civil(number)
        func padded(_ number: Int, _ digits: Int) -> String {
            let text = "\(number)"
            return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }
}
