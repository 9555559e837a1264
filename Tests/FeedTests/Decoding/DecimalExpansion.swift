/// Exact decimal expansions of numbers `integer × 2^exponent`, by schoolbook arithmetic on digits.
enum DecimalExpansion {
    /// All digits of a finite value that is not negative, written as `123e-45`.
    static func exact(_ value: Double) -> String {
        let (significand, exponent) = parts(value)
        return expansion(significand, exponent)
    }

    /// The number halfway between a value and the next one above.
    static func halfway(above value: Double) -> String? {
        let (significand, exponent) = parts(value)
        return expansion(significand * 2 + 1, exponent - 1)
    }

    private static func parts(_ value: Double) -> (significand: UInt64, exponent: Int) {
        let fraction = value.significandBitPattern
        if value.exponentBitPattern == 0 { return (fraction, -1074) }
        return (fraction | 1 << 52, Int(value.exponentBitPattern) - 1075)
    }

    private static func expansion(_ significand: UInt64, _ exponent: Int) -> String {
        // Lowest digit first. Halving is multiplying by five and moving the decimal point.
        var digits = String(significand).utf8.reversed().map { Int($0) - 48 }
        for _ in 0..<abs(exponent) { multiply(&digits, by: exponent < 0 ? 5 : 2) }
        let text = String(digits.reversed().map { Character(String($0)) })
        return "\(text)e\(min(exponent, 0))"
    }

    private static func multiply(_ digits: inout [Int], by factor: Int) {
        var carry = 0
        for index in digits.indices {
            carry += digits[index] * factor
            digits[index] = carry % 10
            carry /= 10
        }
        while carry > 0 {
            digits.append(carry % 10)
            carry /= 10
        }
    }
}
