import MarketData

/// Tells whether a record read from a damaged file is a row of a stream, by what such a row can hold.
enum EventRecord {
    private enum Column {
        case sequence
        case symbol
        case interval
        case source
        case integer
        case number
        case text
        case optionalInteger
        case optionalText
    }

    private static let shapes: [EventStream: [Column]] = [
        .bars: [.sequence, .interval, .symbol, .integer, .integer] + Array(repeating: .number, count: 10)
            + [.optionalInteger, .integer, .text, .source],
        .trades: [
            .sequence, .symbol, .integer, .number, .number, .optionalInteger, .optionalInteger, .optionalText,
            .optionalText, .optionalInteger, .optionalInteger, .optionalInteger, .integer, .text,
        ],
        .quotes: [
            .sequence, .symbol, .integer, .number, .number, .optionalInteger, .number, .number, .optionalInteger,
            .optionalInteger, .optionalText, .optionalInteger, .optionalInteger, .integer, .text,
        ],
    ]

    /// The stream whose rows have as many columns, and whose row this is; `nil` when it is none's.
    static func stream(of row: TreeWalk.Row) -> EventStream? {
        EventStream.allCases.first { isRow(row, of: $0) }
    }

    /// Whether a record is a row of a stream.
    static func isRow(_ row: TreeWalk.Row, of stream: EventStream) -> Bool {
        guard row.rowid > 0, let shape = shapes[stream], shape.count == row.values.count else { return false }
        return zip(shape, row.values).allSatisfy(fits)
    }

    private static func fits(_ column: Column, _ value: RecordValue) -> Bool {
        switch (column, value) {
        // The row's number stands in the tree, not in the record.
        case (.sequence, .null): true
        case (.symbol, .text(let bytes)): bytes.withUnsafeBytes { Symbol(utf8: $0) } != nil
        case (.interval, .integer(let seconds)): Bar.Interval(rawValue: Int32(truncatingIfNeeded: seconds)) != nil
        case (.source, .text(let bytes)): EventSource(rawValue: String(decoding: bytes, as: UTF8.self)) != nil
        case (.integer, .integer), (.optionalInteger, .integer), (.optionalInteger, .null): true
        case (.number, .null): true
        case (.number, .real(let value)): value.isFinite
        // SQLite writes a number without decimals as an integer of at most six bytes.
        case (.number, .integer(let value)): value.magnitude < 1 << 47
        case (.text, .text(let bytes)): !bytes.isEmpty && isUTF8(bytes)
        case (.optionalText, .text(let bytes)): isUTF8(bytes)
        case (.optionalText, .null): true
        default: false
        }
    }

    private static func isUTF8(_ bytes: [UInt8]) -> Bool {
        String(validating: bytes, as: UTF8.self) != nil && !bytes.contains(0)
    }
}
