import MarketData

/// Decides whether a record read from a damaged file is a row of a stream, by the values that a row can hold.
enum EventRecord {
    /// Returns the stream that the row belongs to; `nil` if it belongs to none.
    static func stream(of row: TreeWalk.Row) -> EventStream? { EventStream.allCases.first { isRow(row, of: $0) } }

    /// Whether a record is a row of a stream.
    static func isRow(_ row: TreeWalk.Row, of stream: EventStream) -> Bool {
        let row = row.completed(for: stream)
        let columns = stream.columns
        guard row.rowid > 0, TickConnection.possibleSequences ~= row.rowid, columns.count == row.values.count
        else { return false }
        return zip(columns, row.values).allSatisfy(fits)
    }

    private static func fits(_ column: Column, _ value: RecordValue) -> Bool {
        switch (column.content, value) {
        // The row's number is in the tree, not in the record.
        case (.sequence, .null): true
        case (.symbol, .text(let bytes)): bytes.withUnsafeBytes { Symbol(utf8: $0) } != nil
        case (.interval, .integer(let seconds)): Int32(exactly: seconds).flatMap(Bar.Interval.init(rawValue:)) != nil
        case (.source, .text(let bytes)): EventSource(rawValue: String(decoding: bytes, as: UTF8.self)) != nil
        case (.milliseconds, .integer), (.microseconds, .integer), (.nanoseconds, .integer), (.whole, .integer),
            (.small, .integer), (.flag, .integer), (.price, .null), (.quantity, .null):
            true
        case (.price, .real(let value)), (.quantity, .real(let value)): value.isFinite
        // SQLite writes a number without decimals as an integer of at most six bytes.
        case (.price, .integer(let value)), (.quantity, .integer(let value)): value.magnitude < 1 << 47
        case (.name, .text(let bytes)): !bytes.isEmpty && isUTF8(bytes)
        case (.text, .text(let bytes)), (.list, .text(let bytes)): isUTF8(bytes)
        case (_, .null): !column.isRequired
        default: false
        }
    }

    private static func isUTF8(_ bytes: [UInt8]) -> Bool {
        String(validating: bytes, as: UTF8.self) != nil && !bytes.contains(0)
    }
}

extension TreeWalk.Row {
    /// The record extended by the columns that were added to the stream since it was written.
    fileprivate func completed(for stream: EventStream) -> TreeWalk.Row {
        let added = stream.columns.dropFirst(values.count)
        guard !added.isEmpty, added.allSatisfy({ $0.since > 1 }) else { return self }
        return TreeWalk.Row(rowid: rowid, values: values + added.map { _ in .null })
    }
}
