/// Which times are believed.
public enum UnixTime {
    /// The years 1970 to 9999, in milliseconds since the Unix epoch: what is computed with them is a time too. A row that
    /// another program wrote, or a request, may hold any number.
    public static let possible: ClosedRange<Int64> = 0...253_402_300_799_999

    /// A time in milliseconds since the Unix epoch, or the possible one that is nearest to it.
    public static func bounded(_ milliseconds: Int64) -> Int64 {
        min(max(milliseconds, possible.lowerBound), possible.upperBound)
    }
}
