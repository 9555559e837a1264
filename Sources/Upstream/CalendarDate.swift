/// Dates of the proleptic Gregorian calendar, reckoned in 400-year cycles of 146,097 days that start on 1 March.
enum CalendarDate {
    /// The date as PostgreSQL reads it: `2013-10-08`; for a year before 1 with ` BC`, which no market has seen.
    static func text(daysSinceEpoch days: Int64) -> [UInt8] {
        // 719,468 days lie between 0000-03-01 and 1970-01-01.
        let shifted = days + 719_468
        let cycle = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfCycle = shifted - cycle * 146_097
        let yearOfCycle = (dayOfCycle - dayOfCycle / 1_460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0)
        func padded(_ number: Int64, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return Array("\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))".utf8)
    }
}
