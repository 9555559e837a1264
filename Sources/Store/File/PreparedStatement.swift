import GRDB
import GRDBSQLite

/// A statement on the writer's or a reader's connection, used through SQLite's own functions.
///
/// The hot path binds and steps it directly: GRDB's arguments cost more than the insert itself. It must be released
/// before its connection is closed.
final class PreparedStatement {
    let handle: OpaquePointer
    private let database: OpaquePointer
    private let operation: String

    init(_ sql: String, on database: OpaquePointer, to operation: String = "write to") throws(StoreError) {
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v3(database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard code == SQLITE_OK, let handle else {
            throw StoreError(code: code, on: database, operation: "prepare a statement for")
        }
        self.handle = handle
        self.database = database
        self.operation = operation
    }

    /// Prepares a query on one of GRDB's connections.
    convenience init(reading sql: String, on database: Database) throws(StoreError) {
        guard let handle = database.sqliteConnection else { throw StoreError(.closed, operation: "read") }
        try self.init(sql, on: handle, to: "read")
    }

    deinit { sqlite3_finalize(handle) }

    /// Binds copies of the values to the parameters in order; extra values are ignored.
    func bind(_ values: [any StatementBinding]) {
        for (place, value) in zip(Int32(1)..., values) { _ = value.bind(to: handle, at: place) }
    }

    /// The current row, valid until the next step.
    var row: RowColumns { RowColumns(handle: handle) }

    /// Moves to the next row; returns `false` after the last one.
    func step() throws(StoreError) -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        guard code == SQLITE_DONE else {
            let error = StoreError(code: code, on: database, operation: operation)
            sqlite3_reset(handle)
            throw error
        }
        return false
    }

    /// Makes the statement ready for its next use, and ends the snapshot that it read from.
    func reset() { sqlite3_reset(handle) }

    /// Runs a statement that has no rows; returns how many it changed, if it changes rows.
    @discardableResult
    func run(_ values: [any StatementBinding] = []) throws(StoreError) -> Int64 {
        try rows(values) { _ in true }
        return Int64(sqlite3_changes(database))
    }

    /// Runs a statement and passes its rows to `body` until that returns `false`; returns whether all were passed.
    @discardableResult
    func rows(_ values: [any StatementBinding] = [], _ body: (RowColumns) -> Bool) throws(StoreError) -> Bool {
        bind(values)
        defer { reset() }
        while try step() { guard body(row) else { return false } }
        return true
    }

    /// Runs a statement and passes its rows to `body`.
    func forEach(_ values: [any StatementBinding] = [], _ body: (RowColumns) -> Void) throws(StoreError) {
        try rows(values) { row in
            body(row)
            return true
        }
    }

    /// Runs a statement that returns one row with one number; `nil` if there is no row or the number is NULL.
    func number(_ values: [any StatementBinding] = []) throws(StoreError) -> Int64? {
        bind(values)
        defer { reset() }
        return try step() ? row.integer(0) : nil
    }
}

extension StoreError {
    /// Takes the message for a result code from the connection that returned it.
    init(code: Int32, on database: OpaquePointer, operation: String) {
        self.init(
            code: sqlite3_extended_errcode(database) & 0xFF == code & 0xFF ? sqlite3_extended_errcode(database) : code,
            message: String(cString: sqlite3_errmsg(database)), systemError: sqlite3_system_errno(database),
            operation: operation, path: sqlite3_db_filename(database, "main").map { String(cString: $0) })
    }
}
