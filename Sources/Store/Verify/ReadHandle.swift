import GRDBSQLite
import Glibc
import MarketData

/// A read-only connection, used through SQLite's own functions: verification has to continue after a damaged page.
final class ReadHandle {
    let database: OpaquePointer
    let path: String

    /// Opens a file.
    ///
    /// - Parameter isAtRest: Whether nobody writes the file and it has no log. If so, it is read without locks, and no
    ///   file is created beside it.
    init(path: String, isAtRest: Bool) throws(StoreError) {
        // SQLite reports a file that this user may not read like one that can't be written.
        if access(path, R_OK) != 0, errno == EACCES { throw StoreError(.notReadable, operation: "open", path: path) }
        let name = "file:" + path.percentEncoded(keeping: "-._~/") + (isAtRest ? "?immutable=1" : "")
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(name, &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let handle else {
            let error = handle.map { StoreError(code: code, on: $0, operation: "open") }
            sqlite3_close_v2(handle)
            throw error ?? StoreError(.inputOutput, operation: "open", path: path)
        }
        database = handle
        self.path = path
        sqlite3_busy_timeout(handle, 1000)
        // A view, trigger or function that a damaged or foreign schema names must not run.
        sqlite3_exec(handle, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON", nil, nil, nil)
        sqlite3_exec(
            handle, "PRAGMA mmap_size = 0; PRAGMA cache_size = -2048; PRAGMA wal_autocheckpoint = 0", nil, nil, nil)
    }

    deinit { sqlite3_close_v2(database) }

    func statement(_ sql: String) throws(StoreError) -> PreparedStatement {
        try PreparedStatement(sql, on: database, to: "read")
    }

    /// Returns what `body` makes of a query's rows.
    @discardableResult
    func rows<Value>(_ sql: String, _ body: (RowColumns) -> Value) throws(StoreError) -> [Value] {
        var values: [Value] = []
        try statement(sql).forEach { values.append(body($0)) }
        return values
    }

    /// Returns one number; `nil` if there is none.
    func number(_ sql: String) throws(StoreError) -> Int64? { try statement(sql).number() }
}
