import MarketData

/// Turns numbers into decimals with a fixed number of digits after the point.
struct FixedDecimal {
    /// Digits after the point of prices: those that the feed may send.
    static let priceScale = 9
    /// Digits after the point of numbers of shares, which may be many.
    static let quantityScale = 6

    /// How many numbers had more digits than the decimal, and were rounded.
    private(set) var rounded = 0

    private static let powers: [UInt64] = (0...18).map { (0..<$0).reduce(1) { power, _ in power * 10 } }
    private static let limit: UInt64 = 1_000_000_000_000_000_000

    /// Returns the number in units of the last digit, rounded when it has more; `nil` when it is too large or not a
    /// number.
    mutating func units(of value: Double, scale: Int) -> Int64? {
        if let (digits, decimals) = DecimalText.shortDecimal(of: value.magnitude), decimals <= scale {
            let (units, overflows) = digits.multipliedReportingOverflow(by: Self.powers[scale - decimals])
            guard !overflows, units < Self.limit else { return nil }
            return value < 0 ? -Int64(units) : Int64(units)
        }
        let scaled = (value * Double(Self.powers[scale])).rounded()
        guard scaled.magnitude < Double(Self.limit) else { return nil }
        rounded += 1
        return Int64(scaled)
    }
}
