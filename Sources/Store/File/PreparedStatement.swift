import GRDBSQLite

/// A statement on the writer's or a reader's connection, used through SQLite's own functions.
///
/// The hot path binds and steps it directly: GRDB's arguments cost more than the insert itself. Must be let go before
/// its connection is closed.
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

    deinit {
        sqlite3_finalize(handle)
    }

    /// Binds a number or NULL; the first parameter is 1.
    func bind(_ value: Int64?, at index: Int32) {
        if let value { sqlite3_bind_int64(handle, index, value) } else { sqlite3_bind_null(handle, index) }
    }

    /// Binds a copy of a text.
    func bind(_ value: String, at index: Int32) {
        var value = value
        value.withUTF8 { bytes in
            let copies = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
            bytes.withMemoryRebound(to: CChar.self) { characters in
                _ = sqlite3_bind_text(handle, index, characters.baseAddress, Int32(characters.count), copies)
            }
        }
    }

    /// Goes to the next row; `false` after the last one.
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
    func reset() {
        sqlite3_reset(handle)
    }

    /// Runs a statement that has no rows.
    func run() throws(StoreError) {
        defer { reset() }
        while try step() {}
    }

    /// Runs a statement that has one row of one number; `nil` when it has no row or the number is NULL.
    func number() throws(StoreError) -> Int64? {
        defer { reset() }
        guard try step(), sqlite3_column_type(handle, 0) != SQLITE_NULL else { return nil }
        return sqlite3_column_int64(handle, 0)
    }
}

extension StoreError {
    /// Takes the words for a result code from the connection that gave it.
    init(code: Int32, on database: OpaquePointer, operation: String) {
        self.init(
            code: sqlite3_extended_errcode(database) & 0xFF == code & 0xFF ? sqlite3_extended_errcode(database) : code,
            message: String(cString: sqlite3_errmsg(database)), systemError: sqlite3_system_errno(database),
            operation: operation, path: sqlite3_db_filename(database, "main").map { String(cString: $0) })
    }
}
