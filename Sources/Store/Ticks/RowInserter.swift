import GRDBSQLite
import MarketData

/// Inserts rows into one table, several per statement: a statement's fixed cost is a sixth of a row's.
final class RowInserter {
    /// How many rows one statement inserts.
    static let rowsPerStatement = 20
    /// Room for a symbol's bytes, which must stay in place until the statement has run.
    static let symbolBytes = 16

    private let many: PreparedStatement
    private let one: PreparedStatement
    private let columns: Int32
    private let database: OpaquePointer
    private let symbols: UnsafeMutableRawPointer

    init(_ stream: EventStream, on database: OpaquePointer) throws(StoreError) {
        let columns = stream.columns.map(\.name)
        let row = "(" + columns.map { _ in "?" }.joined(separator: ",") + ")"
        let start = "INSERT INTO \(stream.rawValue) (\(columns.joined(separator: ", "))) VALUES "
        many = try PreparedStatement(
            start + Array(repeating: row, count: RowInserter.rowsPerStatement).joined(separator: ","), on: database)
        one = try PreparedStatement(start + row, on: database)
        self.columns = Int32(columns.count)
        self.database = database
        symbols = .allocate(byteCount: RowInserter.rowsPerStatement * RowInserter.symbolBytes, alignment: 8)
    }

    deinit {
        symbols.deallocate()
    }

    /// Inserts `rows`, numbered from `first`.
    ///
    /// `bind` binds one row, except its number. Texts are bound by reference and must stay in place until this call
    /// returns.
    @inline(__always)
    func insert<Row>(
        _ rows: [Row], first: Int64, bind: (RowBinding, borrowing Row) -> Void
    ) throws(StoreError) {
        var index = 0
        while index < rows.count {
            let fillsMany = rows.count - index >= RowInserter.rowsPerStatement
            let (handle, count) = fillsMany ? (many.handle, RowInserter.rowsPerStatement) : (one.handle, 1)
            for slot in 0..<count {
                let row = RowBinding(
                    handle: handle, base: Int32(slot) * columns, room: symbols + slot * RowInserter.symbolBytes)
                row.bind(first + Int64(index), 1)
                bind(row, rows[index])
                index += 1
            }
            try step(handle)
        }
    }

    private func step(_ handle: OpaquePointer) throws(StoreError) {
        let code = sqlite3_step(handle)
        guard code == SQLITE_DONE else {
            let error = StoreError(code: code, on: database, operation: "append to")
            sqlite3_reset(handle)
            throw error
        }
        sqlite3_reset(handle)
    }
}

/// Binds the columns of one row in a statement that inserts several.
struct RowBinding {
    let handle: OpaquePointer
    /// The number of the row's first parameter less one.
    let base: Int32
    /// Room for its symbol's bytes.
    let room: UnsafeMutableRawPointer

    @inline(__always)
    func bind(_ value: Int64?, _ column: Int32) {
        if let value {
            sqlite3_bind_int64(handle, base + column, value)
        } else {
            sqlite3_bind_null(handle, base + column)
        }
    }

    @inline(__always)
    func bind(_ value: Int32?, _ column: Int32) { bind(value.map { Int64($0) }, column) }

    /// SQLite has no NaN and stores NULL for it.
    @inline(__always)
    func bind(_ value: Double?, _ column: Int32) {
        if let value {
            sqlite3_bind_double(handle, base + column, value)
        } else {
            sqlite3_bind_null(handle, base + column)
        }
    }

    @inline(__always)
    func bind(_ bytes: UnsafeBufferPointer<UInt8>?, _ column: Int32) {
        guard let bytes else {
            sqlite3_bind_null(handle, base + column)
            return
        }
        // An empty text needs an address too.
        let start = bytes.baseAddress.map { UnsafeRawPointer($0) } ?? UnsafeRawPointer(room)
        bind(start, count: bytes.count, column)
    }

    @inline(__always)
    func bind(_ symbol: Symbol, _ column: Int32) {
        let count = symbol.withUTF8 { bytes in
            room.copyMemory(from: UnsafeRawPointer(bytes.baseAddress!), byteCount: bytes.count)
            return bytes.count
        }
        bind(room, count: count, column)
    }

    @inline(__always)
    private func bind(_ text: UnsafeRawPointer, count: Int, _ column: Int32) {
        sqlite3_bind_text(handle, base + column, text.assumingMemoryBound(to: CChar.self), Int32(count), nil)
    }
}
