import MarketData

/// A column that will be sent, and how.
struct PlannedColumn<Field: RowField>: Sendable {
    let field: Field
    let form: ColumnForm
}

/// Writes chosen rows of a batch for COPY, in pieces of about ``pieceSize`` bytes.
struct CopyEncoder<Field: RowField>: CopySource {
    /// Large enough to keep the server busy, small enough not to matter in memory.
    static var pieceSize: Int { 128 * 1024 }

    private let rows: [Buffered<Field.Event>]
    private let order: ArraySlice<Int32>
    private let columns: [PlannedColumn<Field>]
    private let context: RowContext
    private var next: Int
    private var copy = CopyText()

    /// Encodes the rows that `order` points at, in that order.
    init(
        _ rows: [Buffered<Field.Event>], order: ArraySlice<Int32>, columns: [PlannedColumn<Field>],
        context: RowContext
    ) {
        self.rows = rows
        self.order = order
        self.columns = columns
        self.context = context
        next = order.startIndex
    }

    mutating func nextChunk(into bytes: inout [UInt8]) {
        copy.swapBytes(with: &bytes)
        copy.removeAll()
        copy.reserve(Self.pieceSize + 4096)
        while next < order.endIndex, copy.count < Self.pieceSize {
            let row = rows[Int(order[next])]
            for column in columns {
                copy.beginField()
                column.field.write(row, as: column.form, in: context, to: &copy)
            }
            copy.endRow()
            next += 1
        }
        copy.swapBytes(with: &bytes)
    }
}
