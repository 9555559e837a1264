import GRDB

/// How connections to the local files are set up.
///
/// One connection alone writes and checkpoints a file; all others are read-only and never checkpoint. SQLite 3.7.0 to
/// 3.51.2 can corrupt a file when two connections write or checkpoint it at the same instant (the WAL-reset bug).
enum StoreConnection {
    /// Opens the one connection that writes.
    ///
    /// Memory-mapped reading stays off, since a disk error would arrive as a signal. `secure_delete` is on in
    /// Debian's build and would write every freed page a second time.
    static func openWriter(_ path: String, synchronous: String) throws(StoreError) -> DatabaseQueue {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        // A transaction whose rollback fails too must end in an error that the writer can recover from, not in a trap.
        configuration.allowsUnsafeTransactions = true
        configuration.label = "EdgeTick.writer"
        return try open(
            path, configuration,
            """
            PRAGMA page_size = 4096;
            PRAGMA auto_vacuum = NONE;
            PRAGMA cache_size = -2048;
            PRAGMA secure_delete = OFF;
            PRAGMA synchronous = \(synchronous);
            """)
    }

    /// Opens a connection that can't write and never checkpoints.
    static func openReader(_ path: String) throws(StoreError) -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.label = "EdgeTick.reader"
        return try open(path, configuration, "PRAGMA cache_size = -1024;")
    }

    /// Opens a connection that can't write for the time of `body`.
    static func reading<Value>(
        _ path: String, _ body: (DatabaseQueue) throws -> Value
    ) throws(StoreError) -> Value {
        let reader = try openReader(path)
        return try StoreError.translating("read", path: path) {
            let value = try body(reader)
            try reader.close()
            return value
        }
    }

    /// Opens a file that may be damaged, to read what is left of it; `nil` if it can't be opened.
    static func openDamaged(_ path: String) -> DatabaseQueue? {
        // If the file has no bytes, SQLite would remove its log, which may hold everything.
        guard StoreFile.size(of: path) > 0 else { return nil }
        return try? openReader(path)
    }

    private static func open(
        _ path: String, _ configuration: Configuration, _ pragmas: String
    ) throws(StoreError) -> DatabaseQueue {
        var configuration = configuration
        configuration.busyMode = .timeout(1)
        configuration.prepareDatabase { database in
            try database.execute(
                sql: pragmas + "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 0;")
        }
        return try StoreError.translating("open", path: path) {
            try DatabaseQueue(path: path, configuration: configuration)
        }
    }

    /// Turns on write-ahead logging; fails on a file system without shared memory.
    static func turnOnWAL(_ database: Database) throws {
        let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
        guard mode == "wal" else {
            throw StoreError(
                .inputOutput, operation: "turn on write-ahead logging for",
                underlying: "SQLite uses journal mode \(mode ?? "unknown") instead of WAL; "
                    + "put the data directory on a local file system")
        }
        // After a checkpoint the log file keeps up to this size and is overwritten.
        try database.execute(sql: "PRAGMA journal_size_limit = \(CheckpointPolicy.keptBytes)")
    }
}
