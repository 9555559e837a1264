import MarketData

/// A column that will be sent, and how.
struct PlannedColumn<Field: RowField>: Sendable {
    let field: Field
    var roles: Column.Target.Role = []
    let form: ColumnForm
    /// The table's own name of the column, quoted.
    let name: String
    /// The column's type in the binary format; `nil` when only text can fill it.
    let binary: BinaryType?

    /// A row's value as an SQL constant, in the text of COPY.
    func literal(_ row: Buffered<Field.Event>, _ context: RowContext) -> String {
        var copy = CopyText()
        field.write(row, as: form, in: context, to: &copy)
        return CopyText.literal(copy.bytes)
    }
}

/// Encodes selected rows of a batch for COPY, in chunks of about ``CopyPiece/size`` bytes.
struct CopyEncoder<Field: RowField, Writer: CopyWriter>: CopySource {
    private let rows: [Buffered<Field.Event>]
    private let order: ArraySlice<Int32>
    private let columns: [PlannedColumn<Field>]
    private let context: RowContext
    private var next: Int
    private var copy = Writer()
    private var hasBegun = false
    private var hasEnded = false

    init(
        _ rows: [Buffered<Field.Event>], order: ArraySlice<Int32>, columns: [PlannedColumn<Field>],
        context: RowContext, as writer: Writer.Type
    ) {
        self.rows = rows
        self.order = order
        self.columns = columns
        self.context = context
        next = order.startIndex
    }

    mutating func nextChunk(into bytes: inout [UInt8]) {
        swap(&copy.bytes, &bytes)
        copy.bytes.removeAll(keepingCapacity: true)
        copy.bytes.reserveCapacity(CopyPiece.size + 4096)
        if !hasBegun { copy.begin() }
        hasBegun = true
        while next < order.endIndex, copy.bytes.count < CopyPiece.size {
            let row = rows[Int(order[next])]
            copy.beginRow(columns: columns.count)
            for column in columns {
                copy.beginField(column.binary)
                column.field.write(row, as: column.form, in: context, to: &copy)
            }
            copy.endRow()
            next += 1
        }
        if next == order.endIndex, !hasEnded {
            copy.end()
            hasEnded = true
        }
        swap(&copy.bytes, &bytes)
    }
}

enum CopyPiece {
    /// Large enough to keep the server busy, small enough not to matter in memory.
    static let size = 128 * 1024
}
