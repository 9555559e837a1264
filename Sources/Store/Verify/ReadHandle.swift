import GRDBSQLite

/// A read-only connection, used through SQLite's own functions: verification has to continue after a damaged page.
final class ReadHandle {
    let database: OpaquePointer
    let path: String

    /// Opens a file.
    ///
    /// - Parameter isAtRest: Whether nobody writes the file and it has no log. If so, it is read without locks, and no
    ///   file is created beside it.
    init(path: String, isAtRest: Bool) throws(StoreError) {
        var name = "file:"
        for byte in path.utf8 {
            // RFC 3986: everything but unreserved characters and the slash is percent-encoded.
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: "/"):
                name.unicodeScalars.append(Unicode.Scalar(byte))
            default: name += "%" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
            }
        }
        if isAtRest { name += "?immutable=1" }
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

    deinit {
        sqlite3_close_v2(database)
    }

    func statement(_ sql: String) throws(StoreError) -> PreparedStatement {
        try PreparedStatement(sql, on: database, to: "read")
    }

    /// Runs a query and passes its rows to `body`.
    func rows(_ sql: String, _ body: (RowColumns) -> Void) throws(StoreError) {
        try statement(sql).rows { row in
            body(row)
            return true
        }
    }

    /// Returns one number; `nil` if there is none.
    func number(_ sql: String) throws(StoreError) -> Int64? {
        try statement(sql).number()
    }
}
