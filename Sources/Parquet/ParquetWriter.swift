/// Writes a Parquet file of flat rows (parquet-format 2.10; data pages of version 1, PLAIN and dictionary encoding).
///
/// Does no I/O: rows go in, and ``takeBytes()`` returns the file piece by piece. Holds the rows of at most one row
/// group, a description of each earlier group, and the bytes that were not taken. Values are appended column by column,
/// then ``endRow()`` is called.
public struct ParquetWriter {
    /// How pages are compressed.
    public enum Compression: String, Sendable, CaseIterable {
        case none
        case gzip

        var codec: Int32 { self == .gzip ? 2 : 0 }
    }

    /// The number of rows in a full row group.
    static let groupRows = 1 << 17

    private var columns: [ColumnChunk]
    private let compression: Compression
    private let createdBy: String
    private var bytes: [UInt8] = Array("PAR1".utf8)
    /// The number of bytes that were taken.
    private var taken: Int64 = 0
    private var rows = 0
    private var total: Int64 = 0
    private var groups: [CompactStruct] = []
    /// About how many bytes the columns hold.
    private var held = 0

    /// Begins a file.
    public init(_ columns: [ParquetColumn], compression: Compression = .none, createdBy: String) {
        self.columns = columns.map { ColumnChunk($0) }
        self.compression = compression
        self.createdBy = createdBy
    }

    /// Appends a number, a moment, a decimal or a flag to the row, in the column's unit.
    public mutating func append(_ number: Int64, at column: Int) {
        columns[column].append(number)
        held += MemoryLayout<Int64>.size
    }

    /// Appends a text to the row.
    public mutating func append(_ text: UnsafeRawBufferPointer, at column: Int) {
        held += columns[column].append(text)
    }

    /// Appends a null to the row.
    public mutating func appendNull(at column: Int) {
        columns[column].appendNull()
        held += 1
    }

    /// Ends a row, in which every column must have a value or a null.
    public mutating func endRow() {
        rows += 1
        if rows == Self.groupRows { endGroup() }
    }

    /// About how many bytes are held.
    public var heldBytes: Int { bytes.count + held }

    /// How many bytes ``takeBytes()`` would return.
    public var readyBytes: Int { bytes.count }

    /// Ends the row group early, so that ``takeBytes()`` has all rows so far.
    public mutating func endGroup() {
        guard rows > 0 else { return }
        let chunks = columns.indices.map { columns[$0].write(to: &bytes, start: taken, compression: compression) }
        var group = CompactStruct()
        group.add(1, chunks.map(\.description))
        group.add(2, Int64(chunks.reduce(0) { $0 + $1.plainBytes }))
        group.add(3, Int64(rows))
        groups.append(group)
        total += Int64(rows)
        rows = 0
        held = 0
    }

    /// Returns the bytes of the file that come next.
    public mutating func takeBytes() -> [UInt8] {
        let next = bytes
        taken += Int64(next.count)
        bytes = []
        return next
    }

    /// Ends the file; ``takeBytes()`` then returns its last bytes.
    public mutating func finish() {
        endGroup()
        var root = CompactStruct()
        root.add(4, "schema")
        root.add(5, Int32(columns.count))
        var order = CompactStruct()
        order.add(1, CompactStruct())
        var file = CompactStruct()
        file.add(1, Int32(2))
        file.add(2, [root] + columns.map(\.column.schema))
        file.add(3, total)
        file.add(4, groups)
        file.add(6, createdBy)
        file.add(7, columns.map { _ in order })
        let footer = file.bytes
        bytes += footer
        bytes.append(numbers: [UInt32(footer.count)])
        bytes += Array("PAR1".utf8)
    }
}
