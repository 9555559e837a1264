extension TradingDay: Strideable {
    /// The days from this one to another.
    public func distance(to other: TradingDay) -> Int { other.number - number }

    /// The day so many days later.
    public func advanced(by days: Int) -> TradingDay { TradingDay(number: number + days) }

    /// The Monday of the day's week.
    public var monday: TradingDay { advanced(by: -((number + 3) % 7)) }

    /// The first day of the day's month.
    public var firstOfMonth: TradingDay { TradingDay(description.prefix(8) + "01") ?? self }

    /// From midnight to midnight in New York, in milliseconds since the Unix epoch: 23 or 25 hours where the clocks change.
    public var span: Range<Int64> { midnight..<advanced(by: 1).midnight }

    /// The clocks change at 2:00, so the evening before still has the offset of midnight.
    private var midnight: Int64 { advanced(by: -1).moment(minuteOfDay: 24 * 60) }
}
