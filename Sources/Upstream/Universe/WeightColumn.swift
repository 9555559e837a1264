import FoundationEssentials

/// The column of weights in one database: how precise it is, and whether it holds percent or fractions of 1.
///
/// Here weights are percent. What a column holds follows from its weights: those of a fund add up to about 100, or to
/// about 1. A column without weights that is too narrow for percent holds fractions.
struct WeightColumn: Sendable {
    /// The type as SQL writes it.
    let typeText: String
    let isFraction: Bool
    /// The numbers of digits before and after the decimal point; `nil` if neither is limited.
    private let digits: (before: Int, after: Int)?

    /// Examines a table's column; `nil` if there is none.
    init?(of table: TableDescription, _ connection: PostgresConnection) throws(UpstreamError) {
        guard let column = table.column("weight") else { return nil }
        guard column.canSelect, ["numeric", "float4", "float8"].contains(column.typeName) else {
            self.init(typeText: column.baseTypeText, largest: nil, fractions: 0, percents: 0)
            return
        }
        let row = try connection.run(
            """
            SELECT max(w), count(*) FILTER (WHERE n >= 3 AND s BETWEEN 0.9 AND 1.1),
                count(*) FILTER (WHERE s BETWEEN 80 AND 120)
            FROM (SELECT count(m.weight) n, sum(m.weight) s, max(m.weight) w FROM \(table.sqlName) m
                GROUP BY m.group_id) g
            """, "look at the weights in group_memberships"
        ).rows.first
        func number(_ place: Int) -> Double? { row?.number(place) }
        self.init(
            typeText: column.baseTypeText, largest: number(0), fractions: Int(number(1) ?? 0),
            percents: Int(number(2) ?? 0))
    }

    /// Decides from the type and the weights what the column holds.
    ///
    /// - Parameters:
    ///   - typeText: the column's type as SQL writes it.
    ///   - largest: the largest weight; `nil` if there are none.
    ///   - fractions: the number of groups whose weights add up to about 1.
    ///   - percents: the number of groups whose weights add up to about 100.
    init(typeText: String, largest: Double?, fractions: Int, percents: Int) {
        self.typeText = typeText
        let numbers = typeText.split { !$0.isNumber }.compactMap { Int($0) }
        if typeText.hasPrefix("numeric"), let precision = numbers.first {
            let scale = numbers.count > 1 ? numbers[1] : 0
            digits = (precision - scale, scale)
        } else {
            digits = nil
        }
        let isNarrow = digits.map { $0.before <= 1 } ?? false
        let isLarge = largest.map { $0 > 1.5 } ?? false
        isFraction = !isLarge && (fractions > percents || isNarrow)
    }

    /// A stored weight as percent; `nil` if it isn't a number.
    func percent(_ stored: String) -> Double? {
        let value = isFraction ? Self.shifted(stored, by: 2).flatMap { Double($0) } : Double(stored)
        return value.flatMap { $0.isFinite ? $0 : nil }
    }

    /// A weight in percent as the column stores it; `nil` if it doesn't fit.
    func text(ofPercent weight: Double) -> String? {
        guard weight.isFinite else { return nil }
        guard let digits else { return isFraction ? Self.shifted("\(weight)", by: -2) : "\(weight)" }
        guard var value = Decimal(string: "\(weight)") else { return nil }
        if isFraction { value /= 100 }
        let rounded = value.rounded(toDecimals: digits.after)
        let limit = Decimal(sign: .plus, exponent: digits.before, significand: 1)
        return rounded.magnitude < limit ? "\(rounded)" : nil
    }

    /// Whether a stored weight, in percent, equals another weight after rounding to the column.
    func isSame(_ stored: Double?, _ weight: Double?) -> Bool {
        guard let stored, let weight else { return stored == nil && weight == nil }
        guard let kept = text(ofPercent: weight).flatMap(percent) else { return false }
        return stored == kept || (stored - kept).magnitude <= 1e-9 * max(stored.magnitude, kept.magnitude)
    }

    /// The number with its decimal point moved.
    private static func shifted(_ text: String, by places: Int) -> String? {
        guard let value = Decimal(string: text) else { return nil }
        return "\(value * Decimal(sign: .plus, exponent: places, significand: 1))"
    }
}

extension Decimal {
    /// The value rounded to at most `digits` decimals, halves away from zero.
    fileprivate func rounded(toDecimals digits: Int) -> Decimal {
        let unit = Decimal(sign: .plus, exponent: -digits, significand: 1)
        let units = self / unit
        guard let whole = Double("\(units)")?.rounded(.toNearestOrAwayFromZero), whole.magnitude < 1e15,
            let value = Decimal(string: "\(Int64(whole))")
        else { return self }
        return value * unit
    }
}
