/// Writes a number as the shortest decimal that reads back to the same `Double`.
///
/// That is the decimal the feed sent, for every decimal of up to 15 significant digits: no two of those share a
/// `Double` (IEEE 754 binary64, DBL_DIG = 15).
public enum DecimalText {
    /// Appends `value` to `output` as ASCII, never with an exponent for values that fit 15 digits; a value that is not
    /// finite is a programming error.
    @inlinable
    public static func append(_ value: Double, to output: inout [UInt8]) {
        if let (mantissa, decimals) = shortDecimal(of: value) {
            appendScaled(mantissa, decimals: decimals, to: &output)
        } else {
            output.append(contentsOf: value.description.utf8)
        }
    }

    /// Appends an integer as ASCII.
    @inlinable
    public static func append(_ value: Int64, to output: inout [UInt8]) {
        appendScaled(value, decimals: 0, to: &output)
    }

    /// The shortest decimal that reads back to the same value, as text.
    public static func string(_ value: Double) -> String {
        var output: [UInt8] = []
        append(value, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// `mantissa / 10^decimals`, exactly the value's shortest decimal, for the magnitudes that markets use.
    ///
    /// Both the mantissa and the power of ten are exact in a `Double`, so one division rounds once: when it gives
    /// `value` back, the decimal of at most 15 digits is the only such one.
    @inlinable
    static func shortDecimal(of value: Double) -> (mantissa: Int64, decimals: Int)? {
        guard value.magnitude < 1e15, !(value == 0 && value.sign == .minus) else { return nil }
        var power = 1.0
        for decimals in 0...9 {
            let scaled = (value * power).rounded()
            guard scaled.magnitude < 1e15 else { return nil }
            if scaled / power == value { return (Int64(scaled), decimals) }
            power *= 10
        }
        return nil
    }

    @inlinable
    static func appendScaled(_ value: Int64, decimals: Int, to output: inout [UInt8]) {
        if value < 0 { output.append(UInt8(ascii: "-")) }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { digits in
            var rest = value.magnitude
            var position = digits.count
            var written = 0
            while rest > 0 || written <= decimals {
                if written == decimals, decimals > 0 {
                    position -= 1
                    digits[position] = UInt8(ascii: ".")
                }
                position -= 1
                digits[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
                written += 1
            }
            output.append(contentsOf: digits[position...])
        }
    }
}
