extension TradingDay: Strideable {
    /// The number of days from this day to another.
    public func distance(to other: TradingDay) -> Int { other.number - number }

    /// The day that is `days` days later.
    public func advanced(by days: Int) -> TradingDay { TradingDay(number: number + days) }

    /// The Monday of the day's week.
    public var monday: TradingDay { advanced(by: -((number + 3) % 7)) }

    /// The first day of the day's month.
    public var firstOfMonth: TradingDay { TradingDay(description.prefix(8) + "01") ?? self }

    /// From midnight to midnight in New York, in milliseconds since the Unix epoch: 23 or 25 hours if clocks change.
    public var span: Range<Int64> { midnight..<advanced(by: 1).midnight }

    /// The midnight at which the day begins. The clocks change at 2:00, so it still has the offset of the day before.
    private var midnight: Int64 { advanced(by: -1).moment(minuteOfDay: 24 * 60) }
}
