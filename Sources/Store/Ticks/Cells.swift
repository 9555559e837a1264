import GRDB

/// A row's columns read as the expected types, or `nil`.
///
/// GRDB's own subscripts end the process if a column holds something else. A damaged file, or a row that another
/// program wrote, may hold anything, even in a NOT NULL column, and must not end the process.
struct Cells {
    private let row: Row

    init(_ row: Row) { self.row = row }

    /// The value; `nil` if there is none or it has another type.
    subscript<Value: DatabaseValueConvertible>(_ column: String) -> Value? {
        Value.fromDatabaseValue(row[column] as DatabaseValue)
    }

    /// A count, bounded so that sums of counts can't overflow.
    func count(_ column: String) -> Int { min(max(self[column] ?? 0, 0), 1 << 40) }

    /// The row numbers from one column's value through another's; `nil` if rows can't have them.
    func sequences(_ first: String, _ last: String) -> ClosedRange<Int64>? {
        guard let first: Int64 = self[first], let last: Int64 = self[last], first <= last,
            TickConnection.possibleSequences.contains(first), TickConnection.possibleSequences.contains(last)
        else { return nil }
        return first...last
    }

    /// Returns the value of a column that must have one.
    ///
    /// - Throws: `.damaged`.
    func required<Value: DatabaseValueConvertible>(_ column: String) throws(StoreError) -> Value {
        guard let value: Value = self[column] else {
            throw StoreError(.damaged, operation: "read", underlying: "the column \(column) holds no valid value")
        }
        return value
    }
}

extension [String] {
    /// The texts as a list in SQL.
    var sqlList: String { map { "'\($0)'" }.sorted().joined(separator: ", ") }
}
