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
    /// `bind` binds one row. Its parameters are the statement, the number of the row's first parameter less one, the
    /// row, its sequence, and room for its symbol's bytes. Texts are bound by reference and must stay in place until
    /// this call returns.
    @inline(__always)
    func insert<Row>(
        _ rows: [Row], first: Int64,
        bind: (OpaquePointer, Int32, borrowing Row, Int64, UnsafeMutableRawPointer) -> Void
    ) throws(StoreError) {
        let whole = rows.count - rows.count % RowInserter.rowsPerStatement
        var index = 0
        while index < whole {
            for slot in 0..<RowInserter.rowsPerStatement {
                bind(
                    many.handle, Int32(slot) * columns, rows[index], first + Int64(index),
                    symbols + slot * RowInserter.symbolBytes)
                index += 1
            }
            try step(many.handle)
        }
        while index < rows.count {
            bind(one.handle, 0, rows[index], first + Int64(index), symbols)
            index += 1
            try step(one.handle)
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
