import GRDB

/// A row's columns as what they should be, or `nil`.
///
/// GRDB's own subscripts end the process when a column holds something else. A damaged file may hold anything, NOT NULL
/// or not, and must not be able to do that.
struct Cells {
    private let row: Row

    init(_ row: Row) { self.row = row }

    /// The value; `nil` when there is none or one of another type.
    subscript<Value: DatabaseValueConvertible>(_ column: String) -> Value? {
        Value.fromDatabaseValue(row[column] as DatabaseValue)
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
