import GRDB

/// A row's columns as what they should be, or `nil`.
///
/// GRDB's own subscripts end the process when a column holds something else. A damaged file, or a row that another program
/// wrote, may hold anything, NOT NULL or not, and must not be able to do that.
struct Cells {
    private let row: Row

    init(_ row: Row) { self.row = row }

    /// The value; `nil` when there is none or one of another type.
    subscript<Value: DatabaseValueConvertible>(_ column: String) -> Value? {
        Value.fromDatabaseValue(row[column] as DatabaseValue)
    }

    /// A count; so bounded that sums of counts are none that can't be.
    func count(_ column: String) -> Int { min(max(self[column] ?? 0, 0), 1 << 40) }

    /// The numbers of rows from one column's through another's; `nil` where these are none that rows can have.
    func sequences(_ first: String, _ last: String) -> ClosedRange<Int64>? {
        guard let first: Int64 = self[first], let last: Int64 = self[last], first <= last,
            TickConnection.possibleSequences.contains(first), TickConnection.possibleSequences.contains(last)
        else { return nil }
        return first...last
    }

    /// The value that a column must have.
    ///
    /// - Throws: `.damaged`.
    func required<Value: DatabaseValueConvertible>(_ column: String) throws(StoreError) -> Value {
        guard let value: Value = self[column] else {
            throw StoreError(.damaged, operation: "read", underlying: "the column \(column) holds no valid value")
        }
        return value
    }
}
