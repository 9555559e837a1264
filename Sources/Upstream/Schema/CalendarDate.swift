import MarketData

/// Dates of the proleptic Gregorian calendar, reckoned in 400-year cycles of 146,097 days that start on 1 March.
enum CalendarDate {
    /// Appends the date as PostgreSQL reads it: `2013-10-08`.
    static func append(daysSinceEpoch days: Int64, to text: inout [UInt8]) {
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
        append(year, digits: 4, to: &text)
        text.append(UInt8(ascii: "-"))
        append(month, digits: 2, to: &text)
        text.append(UInt8(ascii: "-"))
        append(day, digits: 2, to: &text)
    }

    /// Appends a number, padded with leading zeros to `digits` characters.
    static func append(_ number: Int64, digits: Int, to text: inout [UInt8]) {
        let start = text.count
        if number < 0 { text.append(UInt8(ascii: "-")) }
        let first = text.count
        DecimalText.append(Int64(bitPattern: number.magnitude), to: &text)
        let missing = digits - (text.count - start)
        if missing > 0 { text.insert(contentsOf: repeatElement(UInt8(ascii: "0"), count: missing), at: first) }
    }
}
