import GRDBSQLite
public import MarketData

/// The current row of a statement, by column index.
///
/// Valid until the statement moves on.
public struct RowColumns {
    let handle: OpaquePointer

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    // NULL reads as zero, and so does a text without digits, so only a zero needs a check of its type.

    /// A whole number; `nil` if the column holds no number.
    public func integer(_ column: Int32) -> Int64? {
        let value = sqlite3_column_int64(handle, column)
        return value == 0 && !isNumber(column) ? nil : value
    }

    func smallInteger(_ column: Int32) -> Int32? { integer(column).flatMap { Int32(exactly: $0) } }

    /// A number; `nil` if the column holds no number.
    public func number(_ column: Int32) -> Double? {
        let value = sqlite3_column_double(handle, column)
        return value == 0 && !isNumber(column) ? nil : value
    }

    private func isNumber(_ column: Int32) -> Bool {
        let type = sqlite3_column_type(handle, column)
        return type == SQLITE_INTEGER || type == SQLITE_FLOAT
    }

    /// The text's bytes; without a base address for NULL.
    public func bytes(_ column: Int32) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_text(handle, column)
        return UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column)))
    }

    /// The value of a column with some content; `nil` for NULL.
    public func value(_ column: Int32, _ content: Column.Content) -> ColumnValue? {
        if content.isReal { return number(column).map { .real($0) } }
        return content.isText ? optionalText(column).map { .text($0) } : integer(column).map { .integer($0) }
    }

    /// The text; empty for NULL.
    func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }

    func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }
}
