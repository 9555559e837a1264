import GRDB

/// How connections to the local files are set up.
///
/// One connection alone writes and checkpoints a file; all others are read-only and never checkpoint. SQLite 3.7.0 to
/// 3.51.2 can corrupt a file when two connections write or checkpoint it at the same instant (the WAL-reset bug).
enum StoreConnection {
    /// Opens the one connection that writes.
    ///
    /// Memory-mapped reading stays off, since an error of the disk would arrive as a signal. `secure_delete` is on in
    /// Debian's build and would write every freed page a second time.
    static func openWriter(_ path: String, synchronous: String) throws(StoreError) -> DatabaseQueue {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(1)
        // A transaction whose rollback fails too must end in an error that the writer can recover from, not in a trap.
        configuration.allowsUnsafeTransactions = true
        configuration.label = "EdgeTick.writer"
        configuration.prepareDatabase { database in
            try database.execute(
                sql: """
                    PRAGMA page_size = 4096;
                    PRAGMA auto_vacuum = NONE;
                    PRAGMA mmap_size = 0;
                    PRAGMA cache_size = -2048;
                    PRAGMA temp_store = MEMORY;
                    PRAGMA secure_delete = OFF;
                    PRAGMA synchronous = \(synchronous);
                    PRAGMA wal_autocheckpoint = 0;
                    """)
        }
        return try StoreError.translating("open", path: path) {
            try DatabaseQueue(path: path, configuration: configuration)
        }
    }

    /// Opens a connection that can't write and never checkpoints.
    static func openReader(_ path: String) throws(StoreError) -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(1)
        configuration.label = "EdgeTick.reader"
        configuration.prepareDatabase { database in
            try database.execute(
                sql: """
                    PRAGMA mmap_size = 0;
                    PRAGMA cache_size = -1024;
                    PRAGMA temp_store = MEMORY;
                    PRAGMA wal_autocheckpoint = 0;
                    """)
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
