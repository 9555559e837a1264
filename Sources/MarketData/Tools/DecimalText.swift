/// Writes a number as the shortest decimal that reads back to the same `Double`.
///
/// That is the decimal the feed sent, for every decimal of up to 15 significant digits: no two of those share a
/// `Double` (IEEE 754 binary64, DBL_DIG = 15).
public enum DecimalText {
    /// Appends `value` to `output` as ASCII; a value that is not finite is a programming error.
    ///
    /// Without an exponent when the decimal has at most 15 digits, at most 9 of them after the point. Beyond that, as
    /// `Double.description` writes it (`1e-10`, `1e+16`), which PostgreSQL and SQLite read too.
    @inlinable
    public static func append(_ value: Double, to output: inout [UInt8]) {
        if let (digits, decimals) = shortDecimal(of: value.magnitude), value != 0 || value.sign == .plus {
            if value < 0 { output.append(UInt8(ascii: "-")) }
            appendDigits(digits, decimals: decimals, to: &output)
        } else {
            output.append(contentsOf: value.description.utf8)
        }
    }

    /// Appends an integer as ASCII.
    @inlinable
    public static func append(_ value: Int64, to output: inout [UInt8]) {
        if value < 0 { output.append(UInt8(ascii: "-")) }
        appendDigits(value.magnitude, decimals: 0, to: &output)
    }

    /// The shortest decimal that reads back to the same value, as text.
    public static func string(_ value: Double) -> String {
        var output: [UInt8] = []
        append(value, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// `digits / 10^decimals`, exactly the value's shortest decimal, for the magnitudes that markets use.
    ///
    /// Both the digits and the power of ten are exact in a `Double`, so one division rounds once: when it gives
    /// `value` back, the decimal of at most 15 digits is the only such one. The product is off by less than a quarter,
    /// so that rounding it finds the digits if there are any.
    ///
    /// `nil` when the shortest decimal has more than 15 digits, or more than nine after the point.
    @inlinable
    public static func shortDecimal(of value: Double) -> (digits: UInt64, decimals: Int)? {
        guard value < 1e15 else { return nil }
        let whole = Int64(value)
        if Double(whole) == value { return (UInt64(whole), 0) }
        // Nearly all prices have at most four decimals.
        let scaled = value * 1e4
        guard scaled < 1e15 else { return firstDecimal(of: value, decimals: 1...3) }
        var digits = Int64(scaled + 0.5)
        guard Double(digits) / 1e4 == value else { return firstDecimal(of: value, decimals: 5...9) }
        var decimals = 4
        if digits % 100 == 0 {
            digits /= 100
            decimals = 2
        }
        if digits % 10 == 0 {
            digits /= 10
            decimals -= 1
        }
        return (UInt64(digits), decimals)
    }

    /// Finds a decimal with as many places as the range allows.
    @usableFromInline
    static func firstDecimal(of value: Double, decimals: ClosedRange<Int>) -> (digits: UInt64, decimals: Int)? {
        var power = 1.0
        for _ in 1..<decimals.lowerBound { power *= 10 }
        for decimals in decimals {
            power *= 10
            let scaled = value * power
            guard scaled < 1e15 else { return nil }
            let digits = Int64(scaled + 0.5)
            if Double(digits) / power == value { return (UInt64(digits), decimals) }
        }
        return nil
    }

    /// Appends `digits / 10^decimals`.
    @inlinable
    static func appendDigits(_ digits: UInt64, decimals: Int, to output: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { buffer in
            var rest = digits
            var position = buffer.count
            for _ in 0..<decimals {
                position -= 1
                buffer[position] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
            if decimals > 0 {
                position -= 1
                buffer[position] = UInt8(ascii: ".")
            }
            repeat {
                position -= 1
                buffer[position] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            output.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[position...]))
        }
    }
}
