/// The value of one column of one row.
public enum ColumnValue: Sendable, Hashable {
    /// A whole number.
    case integer(Int64)
    /// Any number.
    case real(Double)
    /// A text.
    case text(String)

    /// The value as JSON; a number that is not finite is `null`.
    public var json: String {
        switch self {
        case .integer(let value): return String(value)
        case .real(let value): return value.isFinite ? DecimalText.string(value) : "null"
        case .text(let text): return JSONString.quoted(text)
        }
    }

    var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .real(let value): Int64(exactly: value)
        case .text: nil
        }
    }

    var real: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .real(let value): value
        case .text: nil
        }
    }

    var text: String? { if case .text(let text) = self { text } else { nil } }
}
